/** Calls a kernel: checks operands, allocates outputs, runs, and records the call for differentiation. */
import { currentTape } from "../autodiff/Tape.ts"
import type { InputSpec } from "./Computation.ts"
import { DTypeMismatch, ForeignTensor, MissingOperand } from "./Errors.ts"
import type { Shapes } from "./Geometry.ts"
import type { AnyKernel, Kernel, Tensors } from "./Kernel.ts"
import type { Operand } from "./Operand.ts"
import type { Shape } from "./Shape.ts"
import { Tensor } from "./Tensor.ts"

type Named = readonly [name: string, tensor: Tensor]

const placeOf = ([operand, { shape, backend }]: Named) => ({ operand, shape, backend: backend.name })

/** Checks one operand; all live where the first of them does. */
const checkOperand = (kernel: AnyKernel, spec: InputSpec, [name, tensor]: Named, first: Named): Operand => {
  tensor.assertLive(kernel.name, name)
  if (tensor.backend !== first[1].backend) {
    throw new ForeignTensor(kernel.name, placeOf(first), placeOf([name, tensor]))
  }
  if (!spec.dtypes.includes(tensor.dtype)) {
    throw new DTypeMismatch(kernel.name, name, spec.dtypes, tensor.dtype, tensor.shape)
  }
  return { handle: tensor.storage.handle, dtype: tensor.dtype, shape: tensor.shape }
}

const firstOf = (inputs: Tensors<string>): Named | undefined => {
  for (const name in inputs) if (inputs[name]) return [name, inputs[name]]
  return undefined
}

/**
 * Runs `kernel` on the backend of its operands and returns its outputs.
 * Raises MissingOperand, ReleasedTensor, ForeignTensor, DTypeMismatch, ShapeMismatch, InvalidAttribute before any work.
 */
export const apply = <I extends string, O extends string, A extends object>(
  kernel: Kernel<I, O, A>,
  inputs: Tensors<I>,
  attributes: A
): { readonly [K in O]: Tensor } => {
  const first = firstOf(inputs)
  const operands: { [name: string]: Operand } = {}
  const shapes: { [name: string]: Shape } = {}
  for (const name in kernel.inputs) {
    const tensor = inputs[name]
    const spec: InputSpec = kernel.inputs[name]
    if (tensor === undefined || first === undefined) {
      if (spec.optional) continue
      throw new MissingOperand(kernel.name, name)
    }
    operands[name] = checkOperand(kernel, spec, [name, tensor], first)
    shapes[name] = tensor.shape
  }
  if (first === undefined) throw new MissingOperand(kernel.name, Object.keys(kernel.inputs).join(", "))
  const { backend } = first[1]

  const inferred = kernel.infer(shapes as Shapes<I>, attributes)
  const outputs: { [name: string]: Tensor } = {}
  const results: { [name: string]: Operand } = {}
  try {
    for (const name of kernel.outputs) {
      const { shape, dtype = "f32" } = inferred[name]
      const handle = backend.allocate({ shape, dtype })
      outputs[name] = new Tensor({ backend, handle, references: 0 }, shape)
      results[name] = { handle, dtype, shape }
    }
    backend.run(kernel, { inputs: operands, outputs: results, attributes })
  } catch (error) {
    for (const output of Object.values(outputs)) output.release()
    throw error
  }
  const named = outputs as { [K in O]: Tensor }
  currentTape()?.recordKernel(kernel, inputs, named, attributes)
  return named
}
