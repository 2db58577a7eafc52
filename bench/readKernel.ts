/** A plain read on all threads, nothing done with the numbers: what kernels that read much and write little are compared with. */
import type { AnyKernel } from "@speedq/tensors"

export const readKernel: AnyKernel = {
  name: "read",
  inputs: { x: { dtypes: ["bf16"] } },
  outputs: [],
  infer: () => ({}),
  reference: () => {},
  native: (engine, { inputs: { x } }) => {
    const rowBytes = 2 * x!.shape.at(-1)!
    const operands = [{ operand: x!, rowBytes, reads: true, writes: false }]
    // As many rows at a time as there are streams.
    engine.rows({ entry: "readRows", rows: x!.handle.bytes / rowBytes, operands, scalars: [rowBytes], together: 8 })
  },
  cost: ({ inputs }) => ({ flops: 0, bytes: 2 * inputs.x!.reduce((size, extent) => size * extent, 1) }),
  samples: () => []
}
