/** Differentiation: chain rule, rematerialization, scoped memory. */
import { assert, describe, it } from "vitest"
import {
  add,
  type Backend,
  checkpoint,
  doubleValues,
  gelu,
  makeReferenceBackend,
  matmul,
  NotDifferentiable,
  noGrad,
  Random,
  ReleasedTensor,
  recomputed,
  reshape,
  ShapeMismatch,
  scope,
  type Tensor,
  tensor,
  valueAndGrad
} from "../src/index.ts"

const backend = makeReferenceBackend()
const random = Random.make(7, "autodiff")
const normal = (shape: readonly number[], on: Backend = backend): Tensor =>
  tensor(
    on,
    Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => random.nextNormal()),
    shape
  )
const ones = (n: number, on: Backend) => tensor(on, new Array<number>(n).fill(1), [n, 1])

/** Sum of all elements, through a product with ones. */
const total = (x: Tensor): Tensor => reshape(matmul(reshape(x, [1, x.size]), ones(x.size, x.backend)), [1])

const layer = ({ x, w }: { readonly x: Tensor; readonly w: Tensor }) => scope(() => add(gelu(matmul(x, w)), x))
const loss = (p: { readonly x: Tensor; readonly w: Tensor }) => ({
  loss: total(layer({ x: layer(p), w: p.w })),
  auxiliary: undefined
})
const rematerialized = (p: { readonly x: Tensor; readonly w: Tensor }) => ({
  loss: total(checkpoint(layer, { x: checkpoint(layer, p), w: p.w })),
  auxiliary: undefined
})

describe("valueAndGrad", () => {
  it("equals central differences", () => {
    const parameters = { x: normal([3, 4]), w: normal([4, 4]) }
    const { gradients } = valueAndGrad(loss)(parameters)
    for (const name of ["x", "w"] as const) {
      const values = doubleValues(parameters[name])
      const gradient = doubleValues(gradients[name])
      for (let i = 0; i < values.length; i++) {
        const at = (shift: number): number => {
          const kept = values[i]!
          values[i] = kept + shift
          const result = doubleValues(scope(() => loss(parameters).loss))[0]!
          values[i] = kept
          return result
        }
        const step = 1e-5
        assert.closeTo(gradient[i]!, (at(step) - at(-step)) / (2 * step), 1e-6 * Math.max(1, Math.abs(gradient[i]!)))
      }
    }
  })

  it("gives the same bits when rematerialized", () => {
    const parameters = { x: normal([3, 4]), w: normal([4, 4]) }
    const kept = valueAndGrad(loss)(parameters)
    const again = valueAndGrad(rematerialized)(parameters)
    assert.deepEqual(doubleValues(again.gradients.w), doubleValues(kept.gradients.w))
    assert.deepEqual(doubleValues(again.gradients.x), doubleValues(kept.gradients.x))
  })

  it("gives the same bits when inner values are made again", () => {
    const parameters = { x: normal([3, 4]), w: normal([4, 4]) }
    const doubled = (w: Tensor) => recomputed(({ w }) => gelu(w), { w })
    const kept = valueAndGrad(({ x, w }: typeof parameters) => {
      const [first, second] = [gelu(w), gelu(matmul(x, w))]
      return { loss: total(matmul(gelu(matmul(second, first)), add(first, w))), auxiliary: undefined }
    })(parameters)
    const again = valueAndGrad(({ x, w }: typeof parameters) => {
      const [first, second] = [doubled(w), recomputed(({ x, w }) => gelu(matmul(x, w)), { x, w })]
      // A value that is made of one that is made again, and read twice.
      const third = recomputed(({ first, second }) => gelu(matmul(second, first)), { first, second })
      return { loss: total(matmul(third, add(first, w))), auxiliary: undefined }
    })(parameters)
    assert.deepEqual(doubleValues(again.value), doubleValues(kept.value))
    assert.deepEqual(doubleValues(again.gradients.w), doubleValues(kept.gradients.w))
    assert.deepEqual(doubleValues(again.gradients.x), doubleValues(kept.gradients.x))
  })

  it("does not keep what is made again, makes it once, and gives it back", () => {
    const parameters = { w: normal([4, 4]) }
    const x = normal([3, 4])
    let made = 0
    const before = backend.usage().buffers
    /** Tensors alive when the loss is known, before any gradient. */
    const held = (again: boolean): number => {
      let alive = 0
      scope(() => {
        valueAndGrad(({ w }: typeof parameters) => {
          const loss = scope(() => {
            const body = ({ w }: { readonly w: Tensor }) => {
              made++
              return gelu(w)
            }
            const v = again ? recomputed(body, { w }) : body({ w })
            return total(add(matmul(x, v), matmul(matmul(x, v), v)))
          })
          alive = backend.usage().buffers - before
          return { loss, auxiliary: undefined }
        })(parameters)
      })
      assert.strictEqual(backend.usage().buffers, before)
      return alive
    }
    const kept = held(false)
    made = 0
    assert.strictEqual(held(true), kept - 1)
    assert.strictEqual(made, 2)
  })

  it("keeps a value inside of a layer that is itself made again", () => {
    const parameters = { w: normal([4, 4]) }
    let made = 0
    valueAndGrad((p: typeof parameters) => ({
      loss: total(
        checkpoint(({ w }) => {
          const v = recomputed(
            ({ w }) => {
              made++
              return gelu(w)
            },
            { w }
          )
          return matmul(v, v)
        }, p)
      ),
      auxiliary: undefined
    }))(parameters)
    assert.strictEqual(made, 2)
  })

  it("gives back what was made again when a gradient throws", () => {
    const parameters = { w: normal([4, 4]) }
    const before = backend.usage().buffers
    let calls = 0
    const body = ({ w }: { readonly w: Tensor }) => {
      const v = gelu(w)
      if (++calls === 2) throw new Error("no memory")
      return v
    }
    assert.throws(
      () =>
        scope(() =>
          valueAndGrad((p: typeof parameters) => {
            const v = recomputed(body, p)
            return { loss: total(matmul(v, v)), auxiliary: undefined }
          })(parameters)
        ),
      "no memory"
    )
    assert.strictEqual(backend.usage().buffers, before)
  })

  it("releases what a step allocated, also when the step throws", () => {
    const parameters = { x: normal([3, 4]), w: normal([4, 4]) }
    const before = backend.usage().buffers
    scope(() => {
      valueAndGrad(loss)(parameters)
      valueAndGrad(rematerialized)(parameters)
    })
    assert.strictEqual(backend.usage().buffers, before)
    assert.throws(() =>
      valueAndGrad((p: typeof parameters) => {
        loss(p)
        throw new Error("in the middle")
      })(parameters)
    )
    assert.strictEqual(backend.usage().buffers, before)
  })

  it.each([
    ["kept", loss],
    ["rematerialized", rematerialized]
  ])("releases everything wherever memory or a kernel fails, values %s", (_, step) => {
    for (const failing of ["allocate", "run"] as const) {
      let left = Number.POSITIVE_INFINITY
      const fail = () => {
        if (--left < 0) throw new Error(`no more ${failing}`)
      }
      const limited: Backend = {
        ...backend,
        allocate: (spec, options) => {
          if (failing === "allocate") fail()
          return backend.allocate(spec, options)
        },
        run: (kernel, call) => {
          if (failing === "run") fail()
          backend.run(kernel, call)
        }
      }
      const parameters = { x: normal([3, 4], limited), w: normal([4, 4], limited), unused: normal([2], limited) }
      const before = backend.usage().buffers
      let failures = 0
      for (let allowed = 0; ; allowed++) {
        left = allowed
        try {
          scope(() => void valueAndGrad(step)(parameters))
          break
        } catch (error) {
          assert.strictEqual((error as Error).message, `no more ${failing}`)
          failures++
          assert.strictEqual(backend.usage().buffers, before, `after ${allowed} calls of ${failing}`)
        }
      }
      assert.isAbove(failures, 10)
      assert.strictEqual(backend.usage().buffers, before)
    }
  })

  it("releases everything when gradients do not fit what they are added to", () => {
    const parameters = { x: normal([3, 4]), w: normal([4, 4]) }
    const into = { x: normal([3, 4]), w: normal([4, 5]) }
    const before = backend.usage().buffers
    for (const step of [loss, rematerialized]) {
      assert.throws(() => valueAndGrad(step, { into })(parameters), ShapeMismatch)
      assert.strictEqual(backend.usage().buffers, before)
    }
  })

  it("accumulates into given gradients", () => {
    const parameters = { x: normal([3, 4]), w: normal([4, 4]) }
    const once = valueAndGrad(loss)(parameters).gradients
    const into = valueAndGrad(loss)(parameters).gradients
    valueAndGrad(loss, { into })(parameters)
    for (let i = 0; i < 16; i++) assert.closeTo(doubleValues(into.w)[i]!, 2 * doubleValues(once.w)[i]!, 1e-12)
  })

  it("refuses a loss that depends on nothing", () => {
    assert.throws(
      () =>
        valueAndGrad((p: { readonly x: Tensor }) => ({ loss: noGrad(() => total(p.x)), auxiliary: 0 }))({
          x: normal([2])
        }),
      NotDifferentiable
    )
  })
})

describe("scope", () => {
  it("keeps what it returns and releases the rest", () => {
    let inner: Tensor | undefined
    const kept = scope(() => {
      inner = normal([2])
      return { y: add(inner, inner) }
    })
    assert.strictEqual(kept.y.released, false)
    assert.throws(() => add(inner!, inner!), ReleasedTensor)
  })
})
