/** Runs one sample of a kernel on a backend and brings everything back to the host. */
import { backward } from "../../src/autodiff/backward.ts"
import { Tape, withTape } from "../../src/autodiff/Tape.ts"
import { apply } from "../../src/core/apply.ts"
import {
  type AnyKernel,
  type Backend,
  doubleValues,
  fromBfloat16,
  fromFloat16,
  Random,
  type Sample,
  type Shape,
  scope,
  type Tensor,
  tensor,
  unscoped
} from "../../src/index.ts"

export type AnySample = Sample<object>
export type Named<T> = { readonly [name: string]: T }

/** A tensor on the host: its numbers, and its bytes where exactness counts. */
export interface HostTensor {
  readonly shape: Shape
  readonly dtype: string
  readonly values: ArrayLike<number>
}

const drawn = new Map<AnyKernel, readonly AnySample[]>()

/** The samples of a kernel, the same for every backend. */
export const samplesOf = (kernel: AnyKernel): readonly AnySample[] => {
  const known = drawn.get(kernel)
  if (known !== undefined) return known
  const samples = kernel.samples(Random.make(11, kernel.name)) as readonly AnySample[]
  drawn.set(kernel, samples)
  return samples
}

/** The operands of a sample as tensors of a backend. */
export const upload = (backend: Backend, sample: AnySample): Named<Tensor> =>
  Object.fromEntries(
    Object.entries(sample.inputs).map(([name, { shape, dtype = "f32", values }]) => [
      name,
      tensor(backend, Array.from(values), shape, dtype)
    ])
  )

/** A tensor's numbers: in double precision on the reference backend, decoded from 16 bits where stored so. */
export const download = async (tensor: Tensor): Promise<HostTensor> => {
  const { shape, dtype } = tensor
  if (tensor.backend.kind === "reference") return { shape, dtype, values: Float64Array.from(doubleValues(tensor)) }
  const raw = await tensor.read()
  const decode = dtype === "bf16" ? fromBfloat16 : dtype === "f16" ? fromFloat16 : undefined
  return { shape, dtype, values: decode ? Float64Array.from(raw, decode) : raw }
}

const downloadAll = async (tensors: Named<Tensor>): Promise<Named<HostTensor>> => {
  const entries: (readonly [string, HostTensor])[] = []
  for (const [name, tensor] of Object.entries(tensors)) entries.push([name, await download(tensor)])
  return Object.fromEntries(entries)
}

const releaseAll = (tensors: Named<Tensor>): void => {
  for (const tensor of Object.values(tensors)) tensor.release()
}

export interface Outcome {
  readonly outputs: Named<HostTensor>
  /** The operands after the call: updated ones have changed, the others must not. */
  readonly inputs: Named<HostTensor>
}

/** Runs the kernel once. */
export const runSample = async (backend: Backend, kernel: AnyKernel, sample: AnySample): Promise<Outcome> => {
  const inputs = upload(backend, sample)
  const outputs = apply(kernel, inputs, sample.attributes)
  const outcome = { outputs: await downloadAll(outputs), inputs: await downloadAll(inputs) }
  releaseAll(inputs)
  releaseAll(outputs)
  return outcome
}

/** Operands that a gradient flows to. */
export const differentiableInputs = (kernel: AnyKernel, sample: AnySample): readonly string[] =>
  Object.entries(kernel.inputs)
    .filter(([name, spec]) => {
      const { dtype = "f32" } = sample.inputs[name] ?? { dtype: "absent" }
      return dtype === "f32" && !spec.constant && !spec.updated
    })
    .map(([name]) => name)

/** Outputs that a gradient flows from. */
export const differentiableOutputs = (kernel: AnyKernel): readonly string[] =>
  kernel.outputs.filter((name) => !kernel.gradient?.auxiliary?.includes(name))

/** Vector-Jacobian product: gradients of the sum of cotangents times outputs, by input name. */
export const gradientsOf = (
  kernel: AnyKernel,
  inputs: Named<Tensor>,
  wanted: readonly string[],
  attributes: object,
  cotangents: Named<ArrayLike<number>>
): Named<Tensor> =>
  scope(() => {
    const tape = new Tape()
    const variables = wanted.map((name) => tape.watch(inputs[name]!))
    const outputs = withTape(tape, () => apply(kernel, inputs, attributes))
    const seeds = Object.entries(cotangents).flatMap(([name, values]) => {
      const output = outputs[name]!
      const variable = tape.variableOf(output)
      // `backward` takes the seeds over, so they belong to no scope.
      const seed = () => unscoped(() => tensor(output.backend, Array.from(values), output.shape))
      return variable ? [[variable, seed()] as const] : []
    })
    const found = backward(tape, seeds, variables)
    return Object.fromEntries(wanted.flatMap((name, index) => (found[index] ? [[name, found[index]] as const] : [])))
  })

/** Gradients of one sample on a backend, on the host. */
export const gradientSample = async (
  backend: Backend,
  kernel: AnyKernel,
  sample: AnySample,
  cotangents: Named<ArrayLike<number>>
): Promise<Named<HostTensor>> => {
  const inputs = upload(backend, sample)
  const gradients = gradientsOf(kernel, inputs, differentiableInputs(kernel, sample), sample.attributes, cotangents)
  const found = await downloadAll(gradients)
  releaseAll(gradients)
  releaseAll(inputs)
  return found
}
