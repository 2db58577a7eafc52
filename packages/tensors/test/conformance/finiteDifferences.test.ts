/** Every gradient against central differences of the double-precision definition. */
import { assert, describe, it } from "vitest"
import { apply } from "../../src/core/apply.ts"
import {
  type AnyKernel,
  doubleValues,
  kernels,
  makeReferenceBackend,
  Random,
  type Shape,
  scope,
  type Tensor
} from "../../src/index.ts"
import { finiteDifferences } from "../tolerances.ts"
import { assertClose } from "./compare.ts"
import {
  type AnySample,
  differentiableInputs,
  differentiableOutputs,
  gradientsOf,
  type Named,
  samplesOf,
  upload
} from "./runSample.ts"

const backend = makeReferenceBackend()
const largestJacobian = 64

interface Probe {
  readonly kernel: AnyKernel
  readonly sample: AnySample
  readonly inputs: Named<Tensor>
  /** Operands that are moved. */
  readonly moved: readonly string[]
}

/** Values of the outputs at the operands moved by `step` times `direction`, which are put back afterwards. */
const outputsAt = (
  { kernel, sample, inputs, moved }: Probe,
  direction: Named<Float64Array>,
  step: number
): Named<Float64Array> => {
  const kept = Object.entries(inputs).map(([, tensor]) => [tensor, Float64Array.from(doubleValues(tensor))] as const)
  for (const name of moved) {
    const values = doubleValues(inputs[name]!)
    for (let i = 0; i < values.length; i++) values[i]! += step * direction[name]![i]!
  }
  const outputs = scope(() => {
    const results = apply(kernel, inputs, sample.attributes)
    return Object.fromEntries(
      differentiableOutputs(kernel).map((name) => [name, Float64Array.from(doubleValues(results[name]!))])
    )
  })
  // Updated operands were overwritten too: everything goes back.
  for (const [tensor, values] of kept) doubleValues(tensor).set(values)
  return outputs
}

/** d outputs along `direction`: (f(x + e d) - f(x - e d)) / 2 e. */
const differences = (probe: Probe, direction: Named<Float64Array>): Named<Float64Array> => {
  const step = 1e-5
  const after = outputsAt(probe, direction, step)
  const before = outputsAt(probe, direction, -step)
  return Object.fromEntries(
    Object.entries(after).map(([name, values]) => [
      name,
      values.map((value, i) => (value - before[name]![i]!) / (2 * step))
    ])
  )
}

const zerosLike = (probe: Probe): Named<Float64Array> =>
  Object.fromEntries(probe.moved.map((name) => [name, new Float64Array(probe.inputs[name]!.size)]))

const gradients = ({ kernel, sample, inputs, moved }: Probe, cotangents: Named<ArrayLike<number>>) =>
  scope(() => {
    const found = gradientsOf(kernel, inputs, moved, sample.attributes, cotangents)
    return Object.fromEntries(
      moved.map((name) => {
        const gradient = found[name]
        return [name, gradient ? Float64Array.from(doubleValues(gradient)) : new Float64Array(inputs[name]!.size)]
      })
    )
  })

const inner = (a: Named<Float64Array>, b: Named<Float64Array>): number =>
  Object.entries(a).reduce((sum, [name, values]) => sum + values.reduce((s, v, i) => s + v * b[name]![i]!, 0), 0)

/** One random direction: cotangent . (J d) = (cotangent J) . d */
const checkDirection = (probe: Probe, at: string, random: Random): void => {
  const normals = (shapes: Named<number>) =>
    Object.fromEntries(
      Object.entries(shapes).map(([name, size]) => [
        name,
        Float64Array.from({ length: size }, () => random.nextNormal())
      ])
    )
  const direction = normals(Object.fromEntries(probe.moved.map((name) => [name, probe.inputs[name]!.size])))
  const moved = differences(probe, direction)
  // Cotangents pass through an f32 tensor.
  const drawn = normals(Object.fromEntries(Object.entries(moved).map(([name, { length }]) => [name, length])))
  const cotangents = Object.fromEntries(
    Object.entries(drawn).map(([name, values]) => [name, values.map((value) => Math.fround(value))])
  )
  const expected = inner(cotangents, moved)
  const actual = inner(gradients(probe, cotangents), direction)
  assertClose(`${at}: along a random direction`, [1], [actual], [expected], finiteDifferences)
}

/** Every entry of the Jacobian. */
const checkJacobian = (probe: Probe, at: string): void => {
  const columns = probe.moved.flatMap((name) =>
    Array.from({ length: probe.inputs[name]!.size }, (_, i) => {
      const direction = zerosLike(probe)
      direction[name]![i] = 1
      return { name, i, moved: differences(probe, direction) }
    })
  )
  const outputs = columns[0]?.moved ?? {}
  for (const [output, { length }] of Object.entries(outputs)) {
    for (let j = 0; j < length; j++) {
      const cotangent = new Float64Array(length)
      cotangent[j] = 1
      const row = gradients(probe, { [output]: cotangent })
      const shape: Shape = [columns.length]
      const actual = columns.map(({ name, i }) => row[name]![i]!)
      const expected = columns.map(({ moved }) => moved[output]![j]!)
      assertClose(`${at}: d ${output}[${j}] by ${probe.moved.join(", ")}`, shape, actual, expected, finiteDifferences)
    }
  }
}

const differentiable = kernels.filter(({ gradient }) => gradient !== undefined)

/** Samples at whose points the function has a derivative. */
const smoothSamples = (kernel: AnyKernel): readonly AnySample[] =>
  samplesOf(kernel).filter(
    (sample) => sample.differentiable !== false && differentiableInputs(kernel, sample).length > 0
  )

const smooth = differentiable.filter((kernel) => smoothSamples(kernel).length > 0)

describe("gradients against central differences", () => {
  it.each(smooth.map((kernel) => [kernel.name, kernel] as const))("%s", (_name, kernel) => {
    const random = Random.make(13, kernel.name)
    for (const sample of smoothSamples(kernel)) {
      const inputs = upload(backend, sample)
      const probe: Probe = { kernel, sample, inputs, moved: differentiableInputs(kernel, sample) }
      const at = `${kernel.name} (${sample.name})`
      checkDirection(probe, at, random)
      const size = probe.moved.reduce((sum, name) => sum + inputs[name]!.size, 0)
      if (size <= largestJacobian) checkJacobian(probe, at)
    }
  })

  it("reach every gradient but those of rounding", () => {
    const rounding = differentiable.filter((kernel) => !smooth.includes(kernel)).map(({ name }) => name)
    assert.sameMembers(rounding, ["fakeQuantBilevel", "fakeQuantCodebook", "fakeQuantUniform"])
  })
})
