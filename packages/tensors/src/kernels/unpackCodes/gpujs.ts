import { elementwise } from "../../backends/gpujs/elementwise.ts"
import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import type { UnpackCodesAttributes } from "./definition.ts"

/** A code lies within two neighbouring bytes. */
function unpacked(this: Thread, packed: Values) {
  let second = 0
  if (((this.thread.x * this.constants.bits) >> 3) + 1 < this.constants.bytes) {
    second = packed[((this.thread.x * this.constants.bits) >> 3) + 1]
  }
  const pair = packed[(this.thread.x * this.constants.bits) >> 3] + 256 * second
  return ((pair | 0) >> ((this.thread.x * this.constants.bits) & 7)) & this.constants.mask
}

export const gpujs: GpujsBody<"packed", "codes", UnpackCodesAttributes> = {
  programs: ({ inputs }, { bits, shape }) => [
    elementwise("codes", unpacked, ["packed"], shape, {
      constants: { bits, mask: 2 ** bits - 1 },
      sizes: { bytes: inputs.packed[0]! }
    })
  ]
}
