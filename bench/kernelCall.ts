/** One kernel of the list as a contestant: outputs are allocated and given back with every call, as in a step. */
import { type AnyKernel, type Backend, kernels, type Operand, type Tensor } from "@speedq/tensors"
import { timed } from "./measure.ts"

export const kernelNamed = (name: string): AnyKernel => {
  const kernel = kernels.find((each) => each.name === name)
  if (kernel === undefined) throw new Error(`there is no kernel "${name}"`)
  return kernel
}

const operandOf = ({ storage, dtype, shape }: Tensor): Operand => ({ handle: storage.handle, dtype, shape })

/** Milliseconds of one call of a kernel on tensors of a backend, and the bytes that it reads and writes at least. */
export const kernelCall = (
  backend: Backend,
  kernel: AnyKernel,
  tensors: { readonly [name: string]: Tensor },
  attributes: object
) => {
  const inputs = Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, operandOf(tensor)]))
  const shapes = Object.fromEntries(Object.entries(tensors).map(([name, { shape }]) => [name, shape]))
  const specs = kernel.infer(shapes, attributes)
  const outputShapes = Object.fromEntries(kernel.outputs.map((name) => [name, specs[name]!.shape]))
  const run = (): number => {
    const outputs: { [name: string]: Operand } = {}
    const ms = timed(() => {
      for (const name of kernel.outputs) {
        const { shape, dtype = "f32" } = specs[name]!
        outputs[name] = { handle: backend.allocate({ shape, dtype }), dtype, shape }
      }
      backend.run(kernel, { inputs, outputs, attributes })
    })
    for (const { handle } of Object.values(outputs)) backend.release(handle)
    return ms
  }
  return { run, bytes: kernel.cost({ inputs: shapes, outputs: outputShapes }, attributes).bytes }
}
