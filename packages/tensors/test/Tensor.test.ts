/** Tensors: storage, views, reading, memory. */
import { assert, describe, it } from "vitest"
import {
  doubleValues,
  generate,
  keep,
  leadingRows,
  makeReferenceBackend,
  NotDifferentiable,
  ReleasedTensor,
  reshape,
  ShapeMismatch,
  scope,
  sum,
  type Tensor,
  tensor,
  tensorsIn,
  toBfloat16,
  toFloat16,
  unscoped,
  valueAndGrad,
  zeros
} from "../src/index.ts"

const backend = makeReferenceBackend()

describe("a tensor", () => {
  it("reads back what was written, in every dtype", async () => {
    const patterns = [1.5, -2, 0.1].map(toBfloat16)
    const halves = [1.5, -2, 0.1].map(toFloat16)
    assert.deepEqual(Array.from(await tensor(backend, [1.5, -2, 0.25], [3]).read()), [1.5, -2, 0.25])
    assert.deepEqual(Array.from(await tensor(backend, [7, -8], [2], "i32").read()), [7, -8])
    assert.deepEqual(Array.from(await tensor(backend, [0, 255], [2], "u8").read()), [0, 255])
    assert.deepEqual(Array.from(await tensor(backend, patterns, [3], "bf16").read()), patterns)
    assert.deepEqual(Array.from(await tensor(backend, halves, [3], "f16").read()), halves)
    assert.deepEqual(Array.from(await zeros(backend, [2, 2]).read()), [0, 0, 0, 0])
  })

  it("has as many elements as its shape", () => {
    assert.throws(() => tensor(backend, [1, 2, 3], [2, 2]), ShapeMismatch, "3 elements as given")
    assert.strictEqual(tensor(backend, [], [0, 5]).size, 0)
    assert.strictEqual(tensor(backend, [4], []).size, 1)
  })

  it("gives its only element, and only that", async () => {
    assert.strictEqual(await tensor(backend, [4], [1]).item(), 4)
    const error = await zeros(backend, [2])
      .item()
      .catch((error: unknown) => error)
    assert.instanceOf(error, ShapeMismatch)
  })

  it("leaves no storage behind when its bytes cannot be written", () => {
    const before = backend.usage().buffers
    const failing = () =>
      generate(backend, { shape: [3], dtype: "f32" }, () => {
        throw new Error("the file ended")
      })
    assert.throws(failing, "the file ended")
    assert.strictEqual(backend.usage().buffers, before)
  })
})

describe("views", () => {
  it("share storage, which lives until the last is released", async () => {
    const before = backend.usage().buffers
    const x = tensor(backend, [1, 2, 3, 4, 5, 6], [2, 3])
    const view = reshape(x, [3, 2])
    x.release()
    x.release()
    assert.strictEqual(backend.usage().buffers, before + 1)
    assert.deepEqual(Array.from(await view.read()), [1, 2, 3, 4, 5, 6])
    view.release()
    assert.strictEqual(backend.usage().buffers, before)
    assert.throws(() => reshape(x, [6]), ReleasedTensor, 'reshape: operand "x" [2, 3] was already released')
  })

  it("hold as many elements as the tensor", () => {
    assert.throws(
      () => reshape(zeros(backend, [2, 3]), [4]),
      ShapeMismatch,
      "has shape [2, 3], expected 4 elements for [4]"
    )
  })

  it("of leading rows show those only, to kernels too", async () => {
    const x = tensor(backend, [1, 2, 3, 4, 5, 6], [3, 2])
    const two = leadingRows(x, 2)
    assert.deepEqual(two.shape, [2, 2])
    assert.deepEqual(Array.from(await two.read()), [1, 2, 3, 4])
    assert.strictEqual(doubleValues(sum(two))[0], 10)
    assert.throws(() => leadingRows(x, 4), ShapeMismatch)
    const loss = (p: { readonly x: Tensor }) => ({ loss: sum(leadingRows(p.x, 1)), auxiliary: undefined })
    assert.throws(() => valueAndGrad(loss)({ x }), NotDifferentiable, "use gatherRows")
  })
})

describe("scopes", () => {
  it("release what they do not return, at every depth, also when they throw", () => {
    const before = backend.usage().buffers
    const kept = scope(() => {
      const inner = scope(() => ({ list: [zeros(backend, [1])], lost: () => zeros(backend, [1]) }))
      inner.lost()
      return new Map([["a", inner.list]])
    })
    assert.strictEqual(backend.usage().buffers, before + 1)
    assert.throws(() =>
      scope(() => {
        zeros(backend, [5])
        throw new Error("no")
      })
    )
    assert.strictEqual(backend.usage().buffers, before + 1)
    for (const tensor of tensorsIn(kept)) tensor.release()
    assert.strictEqual(backend.usage().buffers, before)
  })

  it("leave alone what was kept or made outside of them", () => {
    const made: Tensor[] = []
    scope(() => {
      made.push(keep(zeros(backend, [1])))
      made.push(unscoped(() => zeros(backend, [1])))
    })
    assert.deepEqual(
      made.map(({ released }) => released),
      [false, false]
    )
  })

  it("are synchronous", () => {
    assert.throws(() => scope(() => Promise.resolve(1)), TypeError, "must be synchronous")
  })
})
