/**
 * What every backend must pass, for every kernel of the list: a body, shapes and dtypes as inferred, numbers and gradients as the
 * reference's, the same bits twice, NaN and infinity as IEEE says, nothing left alive. One line plugs a backend in.
 */
import { afterAll, assert, describe, it } from "vitest"
import { apply } from "../../src/core/apply.ts"
import {
  type AnyKernel,
  type Backend,
  InvalidIndex,
  kernels,
  makeReferenceBackend,
  NotDifferentiable,
  Random,
  scope,
  sizeOf,
  type Tolerance
} from "../../src/index.ts"
import { assertCarried, assertClose, assertIdentical, wider } from "./compare.ts"
import { golden } from "./golden.ts"
import { hugeCases } from "./huge.ts"
import type { Mode } from "./Mode.ts"
import {
  type AnySample,
  differentiableInputs,
  differentiableOutputs,
  gradientSample,
  type Named,
  runSample,
  samplesOf,
  upload
} from "./runSample.ts"
import { specialSamples } from "./specialValues.ts"

/** Random gradients of the outputs that carry one. */
export const cotangentsOf = (kernel: AnyKernel, sample: AnySample): Named<Float32Array> => {
  const random = Random.make(12, kernel.name)
  const shapes = Object.fromEntries(Object.entries(sample.inputs).map(([name, { shape }]) => [name, shape]))
  const inferred = kernel.infer(shapes, sample.attributes)
  return Object.fromEntries(
    differentiableOutputs(kernel).map((name) => [
      name,
      Float32Array.from({ length: sizeOf(inferred[name]!.shape) }, () => random.nextNormal())
    ])
  )
}

const toleranceOf = (mode: Mode, kernel: AnyKernel): Tolerance => {
  const special = mode.toleranceOf?.(kernel)
  if (special !== undefined) return special
  const own = kernel.tolerance ?? { relative: 0, absolute: 0 }
  const isExact = kernel.tolerance?.relative === 0 && kernel.tolerance.absolute === 0
  return isExact && mode.exact !== false ? own : wider(own, mode.tolerance.forward)
}

const errorOf = (call: () => unknown): unknown => {
  try {
    return call()
  } catch (error) {
    return error
  }
}

const exactly: Tolerance = { relative: 0, absolute: 0 }
const single = makeReferenceBackend()
const referenceOf = ({ arithmetic = "f32" }: Mode): Backend => single.withArithmetic(arithmetic)

const forward = async (
  mode: Mode,
  backend: Backend,
  kernel: AnyKernel,
  sample: AnySample,
  compare = assertClose
): Promise<void> => {
  const at = `${kernel.name} (${sample.name})`
  const shapes = Object.fromEntries(Object.entries(sample.inputs).map(([name, { shape }]) => [name, shape]))
  const inferred = kernel.infer(shapes, sample.attributes)
  const expected = await runSample(referenceOf(mode), kernel, sample)
  const actual = await runSample(backend, kernel, sample)
  const again = await runSample(backend, kernel, sample)
  const tolerance = toleranceOf(mode, kernel)
  for (const name of kernel.outputs) {
    const output = actual.outputs[name]!
    assert.deepEqual(output.shape, inferred[name]!.shape, `${at}: shape of ${name}`)
    assert.strictEqual(output.dtype, inferred[name]!.dtype ?? "f32", `${at}: dtype of ${name}`)
    compare(`${at}: ${name}`, output.shape, output.values, expected.outputs[name]!.values, tolerance)
    assertIdentical(`${at}: ${name} when run again`, again.outputs[name]!.values, output.values)
  }
  for (const [name, input] of Object.entries(actual.inputs)) {
    const { updated } = kernel.inputs[name]!
    const wanted = expected.inputs[name]!.values
    if (updated) compare(`${at}: operand ${name}`, input.shape, input.values, wanted, tolerance)
    else assertClose(`${at}: operand ${name}`, input.shape, input.values, wanted, exactly)
    assertIdentical(`${at}: operand ${name} when run again`, again.inputs[name]!.values, input.values)
  }
}

const gradient = async (mode: Mode, backend: Backend, kernel: AnyKernel, sample: AnySample): Promise<void> => {
  const at = `gradient of ${kernel.name} (${sample.name})`
  const cotangents = cotangentsOf(kernel, sample)
  const expected = await gradientSample(referenceOf(mode), kernel, sample, cotangents).catch((error: unknown) => {
    if (error instanceof NotDifferentiable) return undefined
    throw error
  })
  if (expected === undefined) {
    const refused = await gradientSample(backend, kernel, sample, cotangents).catch((error: unknown) => error)
    assert.instanceOf(refused, NotDifferentiable, at)
    return
  }
  const before = backend.usage().buffers
  const actual = await gradientSample(backend, kernel, sample, cotangents)
  const again = await gradientSample(backend, kernel, sample, cotangents)
  const tolerance =
    mode.toleranceOf?.(kernel) ?? wider(kernel.tolerance ?? mode.tolerance.gradient, mode.tolerance.gradient)
  assert.strictEqual(backend.usage().buffers, before, `${at}: buffers left behind`)
  assert.deepEqual(Object.keys(actual), Object.keys(expected), `${at}: operands`)
  for (const [name, { shape, values }] of Object.entries(actual)) {
    assert.deepEqual(shape, sample.inputs[name]!.shape, `${at}: shape for ${name}`)
    assertClose(`${at}: ${name}`, shape, values, expected[name]!.values, tolerance)
    assertIdentical(`${at}: ${name} when run again`, again[name]!.values, values)
  }
}

/** Registers the suite for one mode; a mode that is not there shows up as one skipped test, with the reason in its name. */
export const conformance = (mode: Mode): void => {
  const { backend, unavailable } = mode
  if (backend === undefined) {
    console.warn(`${mode.name} is skipped: ${unavailable}`)
    it(`${mode.name} (skipped: ${unavailable})`, ({ skip }) => skip(unavailable))
    return
  }
  describe(mode.name, () => {
    afterAll(() => backend.close())

    const { only = () => true } = mode
    describe.each(kernels.filter(only).map((kernel) => [kernel.name, kernel] as const))("%s", (_name, kernel) => {
      it("has a body", () => {
        assert.isDefined(mode.bodyOf(kernel), `kernel ${kernel.name} has no body for ${mode.name}`)
      })

      it("equals the reference, twice the same", async () => {
        for (const sample of samplesOf(kernel)) await forward(mode, backend, kernel, sample)
      })

      if (kernel.gradient !== undefined) {
        it("has the reference's gradient", async () => {
          for (const sample of samplesOf(kernel)) {
            if (differentiableInputs(kernel, sample).length > 0) await gradient(mode, backend, kernel, sample)
          }
        })
      }

      const special = mode.ieee === false ? [] : specialSamples(kernel, samplesOf(kernel))
      if (special.length > 0) {
        it("carries NaN and infinity as IEEE 754 does", async () => {
          for (const { sample, mayAdd } of special) {
            await forward(mode, backend, kernel, sample, mayAdd ? assertCarried : assertClose)
          }
        })
      }
    })

    if (mode.only !== undefined) return

    // Of single precision: bf16 has fixtures of its own.
    if (mode.arithmetic !== "bf16") golden(backend)

    it("leaves nothing alive after 1000 calls", async () => {
      const before = backend.usage()
      for (let call = 0; call < 1000; call++) {
        const kernel = kernels[call % kernels.length]!
        const samples = samplesOf(kernel)
        const sample = samples[Math.floor(call / kernels.length) % Math.min(samples.length, 3)]!
        scope(() => {
          apply(kernel, upload(backend, sample), sample.attributes)
        })
      }
      const { buffers, bytes } = backend.usage()
      assert.deepEqual({ buffers, bytes }, { buffers: before.buffers, bytes: before.bytes })
    })

    if (mode.checksIndices) {
      it.each(["index", "labels"])("refuses %s out of range", (operand) => {
        for (const kernel of kernels) {
          const sample = samplesOf(kernel).find(({ inputs }) => (inputs[operand]?.values.length ?? 0) > 0)
          const given = sample?.inputs[operand]
          if (sample === undefined || given === undefined) continue
          const last = given.values.length - 1
          for (const wrong of [-1, 1 << 20]) {
            const values = Int32Array.from(given.values).fill(wrong, last)
            const inputs = { ...sample.inputs, [operand]: { ...given, values } }
            const before = backend.usage().buffers
            const call = () => void apply(kernel, upload(backend, { ...sample, inputs }), sample.attributes)
            const error = errorOf(() => scope(call))
            assert.instanceOf(error, InvalidIndex, `${kernel.name} with ${wrong} in "${operand}"`)
            assert.include(error.message, `${kernel.name}: operand "${operand}" holds ${wrong} at position ${last}`)
            assert.strictEqual(backend.usage().buffers, before, `${kernel.name}: buffers left behind`)
          }
        }
      })
    }

    if (mode.huge !== false) {
      it.each(hugeCases)("$name", ({ check }) => check(backend))
    }
  })
}
