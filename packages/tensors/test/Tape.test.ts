/** What the tape keeps, what it refuses, and functions with a gradient of their own. */
import { assert, describe, it } from "vitest"
import { backward } from "../src/autodiff/backward.ts"
import { Tape, withTape } from "../src/autodiff/Tape.ts"
import { apply } from "../src/core/apply.ts"
import {
  crossEntropyRows,
  customGradient,
  doubleValues,
  gelu,
  klRows,
  linear,
  makeReferenceBackend,
  multiply,
  NotDifferentiable,
  Random,
  scale,
  scope,
  splitColumns,
  sum,
  type Tensor,
  tensor,
  unscoped,
  valueAndGrad
} from "../src/index.ts"
import { layerNormKernel } from "../src/kernels/layerNorm/definition.ts"

const backend = makeReferenceBackend()
const random = Random.make(51, "tape")
const normal = (...shape: readonly number[]): Tensor =>
  tensor(
    backend,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.nextNormal()),
    shape
  )
const gradientOf = (loss: (x: Tensor) => Tensor, x: Tensor): Tensor =>
  valueAndGrad((p: { readonly x: Tensor }) => ({ loss: loss(p.x), auxiliary: undefined }))({ x }).gradients.x

describe("the tape", () => {
  it("keeps the input of a trained weight and not that of a frozen one", () => {
    const weight = normal(8, 4)
    const heldBy = (watched: "weight" | "x"): number => {
      const tape = new Tape()
      const before = backend.usage().buffers
      const x = normal(3, 4)
      tape.watch(watched === "weight" ? weight : x)
      const y = withTape(tape, () => linear(x, weight))
      x.release()
      y.release()
      const held = backend.usage().buffers - before
      tape.clear()
      assert.strictEqual(backend.usage().buffers, before)
      return held
    }
    assert.strictEqual(heldBy("weight"), 1)
    assert.strictEqual(heldBy("x"), 0)
  })

  it("refuses a tracked tensor where an operand is a constant", () => {
    const labels = tensor(backend, [0, 1], [2], "i32")
    const [logits, weights] = [normal(2, 3), normal(2)]
    assert.throws(
      () => gradientOf((w) => sum(crossEntropyRows(logits, labels, w, { smoothing: 0 })), weights),
      NotDifferentiable,
      'crossEntropyRows: operand "weights" has no gradient; give it an untracked tensor'
    )
    assert.throws(
      () =>
        gradientOf(
          (teacher) => sum(klRows(logits, teacher, undefined, { beta: 0, temperature: 1 }).forward),
          normal(2, 3)
        ),
      NotDifferentiable,
      'klRows: operand "teacher"'
    )
  })

  it("refuses to differentiate through statistics", () => {
    const [weight, bias] = [normal(4), normal(4)]
    assert.throws(
      () => gradientOf((x) => sum(apply(layerNormKernel, { x, weight, bias }, { epsilon: 1e-6 }).mean), normal(2, 4)),
      NotDifferentiable,
      'layerNorm: output "mean" carries no gradient'
    )
  })

  it("gives zeros for a loss without any parameter where that is said to be possible, and leaves sums as they are", () => {
    const [w, constant] = [normal(2), tensor(backend, [3], [1])]
    const loss = () => ({ loss: constant, auxiliary: undefined })
    assert.throws(() => valueAndGrad(loss)({ w }), NotDifferentiable, "the loss does not depend on any parameter")
    const fresh = valueAndGrad(loss, { mayBeConstant: true })({ w })
    assert.deepStrictEqual([...doubleValues(fresh.gradients.w)], [0, 0])
    assert.deepStrictEqual([...doubleValues(fresh.value)], [3])
    const sums = { w: tensor(backend, [1, 2], [2]) }
    const added = valueAndGrad(loss, { mayBeConstant: true, into: sums })({ w })
    assert.strictEqual(added.gradients.w, sums.w)
    assert.deepStrictEqual([...doubleValues(sums.w)], [1, 2])
  })

  it("takes an output that nobody used as constant", () => {
    const x = normal(2, 6)
    const gradient = gradientOf((x) => sum(splitColumns(x, [2, 3, 1])[1]), x)
    assert.deepEqual(Array.from(doubleValues(gradient)), [0, 0, 1, 1, 1, 0, 0, 0, 1, 1, 1, 0])
  })

  it("sums the gradients of every use", () => {
    const x = normal(5)
    const gradient = gradientOf((x) => sum(multiply(multiply(x, x), x)), x)
    const values = doubleValues(x)
    for (const [i, value] of doubleValues(gradient).entries()) assert.closeTo(value, 3 * values[i]! ** 2, 1e-12)
  })

  it("gives a seed back where the output is itself the target", () => {
    const tape = new Tape()
    const x = normal(3)
    const variable = tape.watch(x)
    const seed = unscoped(() => normal(3))
    const [gradient] = backward(tape, [[variable, seed]], [variable])
    assert.strictEqual(gradient, seed)
  })
})

describe("a function with its own gradient", () => {
  /** gelu(x) factor, whose gradient is computed in the forward pass. */
  const scaledGelu = (x: Tensor, heard: (wanted: readonly boolean[]) => void): Tensor =>
    customGradient("scaledGelu", [x], (wanted) => {
      heard(wanted)
      const y = scale(gelu(x), 3)
      const slope = wanted[0] ? gradientOf((x) => sum(scale(gelu(x), 3)), x) : undefined
      return {
        outputs: [y] as const,
        saved: slope ? [slope] : [],
        backward: ([dy], [slope]) => [dy && slope && multiply(dy, slope)]
      }
    })[0]

  it("equals the chain rule and leaves nothing alive", () => {
    const x = normal(7)
    const before = backend.usage().buffers
    scope(() => {
      const own = gradientOf(
        (x) =>
          sum(
            multiply(
              scaledGelu(x, () => {}),
              x
            )
          ),
        x
      )
      const chained = gradientOf((x) => sum(multiply(scale(gelu(x), 3), x)), x)
      for (const [i, value] of doubleValues(own).entries()) assert.closeTo(value, doubleValues(chained)[i]!, 1e-12)
    })
    assert.strictEqual(backend.usage().buffers, before)
  })

  it("hears whether a gradient is wanted", () => {
    const x = normal(2)
    const heard: boolean[] = []
    const hear = (wanted: readonly boolean[]) => heard.push(...wanted)
    scope(() => void scaledGelu(x, hear))
    scope(() => void gradientOf((x) => sum(scaledGelu(x, hear)), x))
    assert.deepEqual(heard, [false, true])
  })
})
