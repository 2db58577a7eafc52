/** A plain copy on all threads: what memory-bound kernels are compared with. */
import type { AnyKernel } from "@speedq/tensors"

/** y = x */
export const copyKernel: AnyKernel = {
  name: "copy",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x }) => ({ y: { shape: x! } }),
  reference: ({ x }, { y }) => y!.set(x!),
  native: (engine, { inputs: { x }, outputs: { y } }) => {
    const rowBytes = 4 * x!.shape.at(-1)!
    const operands = [
      { operand: x!, rowBytes, reads: true, writes: false },
      { operand: y!, rowBytes, reads: false, writes: true }
    ]
    engine.rows({ entry: "copyRows", rows: x!.handle.bytes / rowBytes, operands, scalars: [rowBytes] })
  },
  cost: ({ inputs }) => ({ flops: 0, bytes: 8 * inputs.x!.reduce((size, extent) => size * extent, 1) }),
  samples: () => []
}
