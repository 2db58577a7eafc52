import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { type LinearCodesAttributes, linearCodesExtents } from "./geometry.ts"

/** Without a bias its place is taken by another operand, which is not read. */
function affine(this: Thread, x: Values, codes: Values, scale: Values, zero: Values, bias: Values) {
  let sum = 0
  for (let j = 0; j < this.constants.groups; j++) {
    const factor = scale[this.thread.x * this.constants.groups + j]
    const origin = zero[this.thread.x * this.constants.groups + j]
    for (let i = 0; i < this.constants.group; i++) {
      const column = j * this.constants.group + i
      const bit = column * this.constants.bits
      const byte = codes[this.thread.x * this.constants.rowBytes + (bit >> 3)]
      const code = ((byte | 0) >> (bit & 7)) & this.constants.mask
      sum += x[this.thread.y * this.constants.k + column] * (factor * (code - origin))
    }
  }
  if (this.constants.biased === 1) {
    sum += bias[this.thread.x]
  }
  return sum
}

export const gpujs: GpujsBody<"x" | "codes" | "scale" | "zero" | "bias", "y", LinearCodesAttributes> = {
  programs: ({ inputs }, attributes) => {
    const { m, n, k, group } = linearCodesExtents(inputs, attributes)
    const { bits } = attributes
    const biased = "bias" in inputs
    const rowBytes = (k * bits) / 8
    return [
      {
        output: "y",
        compute: affine,
        reads: ["x", "codes", "scale", "zero", biased ? "bias" : "x"],
        constants: { k, group, groups: k / group, bits, mask: 2 ** bits - 1, rowBytes, biased: Number(biased) },
        extent: [n, m]
      }
    ]
  }
}
