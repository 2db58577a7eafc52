/** What is wrong with a call is said before any work: kernel, operand, both shapes or dtypes. Every operand of every kernel. */
import { assert, describe, it } from "vitest"
import { apply } from "../../src/core/apply.ts"
import {
  type AnyKernel,
  type DType,
  DTypeMismatch,
  ForeignTensor,
  formatShape,
  InvalidAttribute,
  kernels,
  MissingOperand,
  makeReferenceBackend,
  ReleasedTensor,
  type Shape,
  ShapeMismatch,
  scope,
  sizeOf,
  tensor,
  zeros
} from "../../src/index.ts"
import { type AnySample, samplesOf, upload } from "./runSample.ts"

const backend = makeReferenceBackend()
const elsewhere = makeReferenceBackend()
const dtypes: readonly DType[] = ["f32", "bf16", "f16", "u8", "i32"]

/** The error of a call, which must leave nothing behind; undefined when it succeeds. */
const errorOf = (call: () => unknown): unknown => {
  const before = backend.usage().buffers
  try {
    scope(() => void call())
    return undefined
  } catch (error) {
    return error
  } finally {
    assert.strictEqual(backend.usage().buffers, before, "buffers left behind")
  }
}

/** A sample with as many operands as the kernel takes, and small. */
const fullSample = (kernel: AnyKernel): AnySample => {
  const samples = samplesOf(kernel)
  const most = Math.max(...samples.map(({ inputs }) => Object.keys(inputs).length))
  return samples.find(({ inputs }) => {
    const operands = Object.values(inputs)
    return operands.length === most && operands.every(({ values }) => values.length > 0)
  })!
}

/** Every axis longer by one, one axis more, one less. */
const neighbours = (shape: Shape): readonly Shape[] => [
  ...shape.map((_, axis) => shape.map((extent, i) => (i === axis ? extent + 1 : extent))),
  [2, ...shape],
  shape.slice(1)
]

/** Kernels that take any shape: one operand, or one whose shape the others do not meet. */
const anyShape = (kernel: AnyKernel, operand: string): boolean => {
  const one = Object.keys(kernel.inputs).length === 1
  const free: { readonly [kernel: string]: readonly string[] } = {
    cast: ["x"],
    gatherCodes: ["index"],
    gatherRows: ["index"],
    sumSquaresInto: ["x"]
  }
  return one || (free[kernel.name]?.includes(operand) ?? false)
}

describe.each(kernels.map((kernel) => [kernel.name, kernel] as const))("%s", (name, kernel) => {
  const sample = fullSample(kernel)
  const operands = Object.keys(sample.inputs)

  it("names the operand whose shape does not fit", () => {
    for (const operand of operands) {
      let refused = 0
      for (const shape of neighbours(sample.inputs[operand]!.shape)) {
        const error = errorOf(() => {
          const inputs = upload(backend, sample)
          const { dtype } = inputs[operand]!
          const wrong = { ...inputs, [operand]: zeros(backend, shape, dtype) }
          return apply({ ...kernel, reference: () => {} }, wrong, sample.attributes)
        })
        if (error === undefined) continue
        refused++
        if (error instanceof InvalidAttribute) {
          assert.include(error.message, name)
          continue
        }
        assert.instanceOf(error, ShapeMismatch, `${name} with ${operand} ${formatShape(shape)}`)
        assert.strictEqual(error.kernel, name)
        const { shape: blamed } = error.operand === operand ? { shape } : sample.inputs[error.operand]!
        assert.deepEqual(error.actual, blamed, error.message)
        assert.include(error.message, `operand "${error.operand}" has shape ${formatShape(blamed)}, expected `)
      }
      if (!anyShape(kernel, operand)) assert.isAbove(refused, 0, `${name} takes any shape of ${operand}`)
    }
  })

  it("names the operand whose dtype it does not read", () => {
    for (const operand of operands) {
      const accepted = kernel.inputs[operand]!.dtypes
      const { shape } = sample.inputs[operand]!
      for (const dtype of dtypes.filter((other) => !accepted.includes(other))) {
        const error = errorOf(() => {
          const wrong = tensor(backend, new Array<number>(sizeOf(shape)).fill(0), shape, dtype)
          return apply(kernel, { ...upload(backend, sample), [operand]: wrong }, sample.attributes)
        })
        assert.instanceOf(error, DTypeMismatch)
        assert.strictEqual(error.kernel, name)
        assert.strictEqual(error.operand, operand)
        assert.deepEqual(error.shape, shape)
        const said = `operand "${operand}" ${formatShape(shape)} is ${dtype}, expected ${accepted.join(" or ")}`
        assert.include(error.message, said)
      }
    }
  })

  it("names the operand that is missing", () => {
    for (const operand of operands.filter((operand) => !kernel.inputs[operand]!.optional)) {
      const error = errorOf(() => {
        const { [operand]: _left, ...rest } = upload(backend, sample)
        return apply(kernel, rest, sample.attributes)
      })
      assert.instanceOf(error, MissingOperand)
      assert.include(error.message, name)
      assert.include(error.message, operand)
    }
  })

  it("names the operand that was released", () => {
    for (const operand of operands) {
      const error = errorOf(() => {
        const inputs = upload(backend, sample)
        inputs[operand]!.release()
        return apply(kernel, inputs, sample.attributes)
      })
      assert.instanceOf(error, ReleasedTensor)
      const { shape } = sample.inputs[operand]!
      assert.include(error.message, `${name}: operand "${operand}" ${formatShape(shape)} was already released`)
    }
  })

  if (operands.length < 2) return

  it("names the operand of another backend", () => {
    for (const operand of operands) {
      const error = errorOf(() => {
        const { [operand]: foreign } = upload(elsewhere, sample)
        return apply(kernel, { ...upload(backend, sample), [operand]: foreign }, sample.attributes)
      })
      assert.instanceOf(error, ForeignTensor)
      assert.strictEqual(error.kernel, name)
      // Where the first operand is the foreign one, the second is the first to differ from it.
      const blamed = operand === Object.keys(kernel.inputs)[0] ? error.operand : operand
      assert.strictEqual(error.operand, blamed)
      for (const { operand, shape } of [error.actual, error.expected]) {
        assert.deepEqual(shape, sample.inputs[operand]!.shape)
        assert.include(error.message, `"${operand}" ${formatShape(shape)} lives on backend `)
      }
      assert.notStrictEqual(error.expected.operand, error.operand)
    }
  })
})
