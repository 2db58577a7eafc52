/** Calls that share a task: the bits of one call after the other, whatever depends on what. */
import { afterAll, assert, describe, it, vi } from "vitest"
import { Pool } from "../../src/backends/native/Pool.ts"
import {
  add,
  addInto,
  columnSums,
  linear,
  makeNativeBackend,
  Random,
  rmsNorm,
  type Shape,
  ShapeMismatch,
  scope,
  sizeOf,
  type Tensor,
  tensor,
  together
} from "../../src/index.ts"

const backends = await Promise.all([
  makeNativeBackend({ threads: 1, blas: "none" }),
  makeNativeBackend({ threads: 3, blas: "none" })
])
afterAll(async () => {
  for (const backend of backends) await backend.close()
})

interface Operands {
  /** [1, 96] */
  readonly x: Tensor
  /** [640, 96] */
  readonly wide: Tensor
  /** [32, 96] */
  readonly narrow: Tensor
  /** [96] */
  readonly gain: Tensor
}

describe.each(backends)("$name", (backend) => {
  const random = Random.make(3)
  const normals = (shape: Shape): Tensor =>
    tensor(
      backend,
      Float32Array.from({ length: sizeOf(shape) }, () => random.nextNormal()),
      shape
    )
  const numbers = async (tensors: readonly Tensor[]): Promise<readonly number[][]> => {
    const read: number[][] = []
    for (const each of tensors) read.push([...(await each.read())])
    return read
  }

  it.each<readonly [string, (operands: Operands) => readonly Tensor[]]>([
    ["products of one operand", ({ x, wide, narrow }) => [linear(x, wide), linear(x, narrow), linear(x, narrow)]],
    [
      "a call that reads what another one writes",
      ({ x, wide, gain }) => {
        const normed = rmsNorm(x, gain, 1e-6)
        return [linear(normed, wide), add(x, normed)]
      }
    ],
    [
      "operands that go while their call waits, and others in their place",
      ({ x, wide, narrow }) =>
        [wide, narrow, wide, narrow].map((weight) => scope(() => linear(add(x, x), add(weight, weight))))
    ],
    [
      "what is read is overwritten",
      ({ x }) => {
        const sum = add(x, x)
        const before = add(sum, x)
        addInto(sum, before)
        return [before, add(sum, x), sum]
      }
    ],
    [
      "sums of parts, and products of many rows",
      ({ wide, narrow }) => [columnSums(add(wide, wide)), linear(add(narrow, narrow), wide)]
    ]
  ])("%s", async (_, work) => {
    const operands = { x: normals([1, 96]), wide: normals([640, 96]), narrow: normals([32, 96]), gain: normals([96]) }
    const apart = scope(() => work(operands))
    const joined = together(backend, () => scope(() => work(operands)))
    assert.deepStrictEqual(await numbers(joined), await numbers(apart))
    for (const each of [...apart, ...joined, ...Object.values(operands)]) each.release()
    assert.strictEqual(backend.usage().buffers, 0)
  })

  it("runs what was asked for before a call fails", async () => {
    const [x, sum, short] = [normals([1, 96]), normals([1, 96]), normals([2])]
    const expected = scope(() => add(sum, x))
    assert.throws(
      () =>
        together(backend, () => {
          addInto(sum, x)
          add(x, short)
        }),
      ShapeMismatch
    )
    assert.deepStrictEqual([...(await sum.read())], [...(await expected.read())])
    for (const each of [x, sum, short, expected]) each.release()
  })

  it("takes any number of calls", async () => {
    const [x, narrow] = [normals([1, 96]), normals([32, 96])]
    const products = together(backend, () => Array.from({ length: 700 }, () => linear(x, narrow)))
    const [first, ...others] = await numbers(products)
    for (const other of others) assert.deepStrictEqual(other, first)
    for (const each of [x, narrow, ...products]) each.release()
  })

  it("takes one task for products of one operand, and one after the other where a call waits for another", () => {
    const [x, wide, gain] = [normals([1, 96]), normals([640, 96]), normals([96])]
    const run = vi.spyOn(Pool.prototype, "run")
    const tasks = (work: () => Tensor): readonly string[] => {
      run.mockClear()
      together(backend, () => scope(work)).release()
      return run.mock.calls.map(([kernel, { kind }]) => `${kind} of ${kernel}`)
    }
    try {
      const products = () => {
        linear(x, wide)
        return linear(x, wide)
      }
      assert.deepStrictEqual(tasks(products), ["several of linear"])
      assert.deepStrictEqual(
        tasks(() => linear(rmsNorm(x, gain, 1e-6), wide)),
        ["rows of rmsNorm", "rows of linear"]
      )
      const intoWhatIsRead = () => {
        const sum = add(x, x)
        const more = add(sum, x)
        addInto(sum, x)
        return more
      }
      assert.deepStrictEqual(tasks(intoWhatIsRead), ["rows of add", "rows of add", "rows of addInto"])
      const intoFreedMemory = () => {
        scope(() => linear(x, add(wide, wide)))
        return add(wide, wide)
      }
      assert.deepStrictEqual(tasks(intoFreedMemory), ["rows of add", "rows of linear", "rows of add"])
    } finally {
      run.mockRestore()
    }
    for (const each of [x, wide, gain]) each.release()
  })
})
