import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { sizeOf } from "../../Shape.ts"
import { expectRows } from "../shapeRules.ts"
import type { GatherCodesAttributes } from "./geometry.ts"

/** Eight codes take `bits` bytes: the place of a code among its eight keeps numbers of bits small. */
function gathered(this: Thread, packed: Values, index: Values) {
  const row = index[this.thread.y]
  const code = (row | 0) * this.constants.columns + this.thread.x
  const bit = (code & 7) * this.constants.bits
  const first = (code >> 3) * this.constants.bits + (bit >> 3)
  let second = 0
  if (first + 1 < this.constants.bytes) {
    second = packed[first + 1]
  }
  const pair = packed[first] + 256 * second
  return ((pair | 0) >> (bit & 7)) & this.constants.mask
}

export const gpujs: GpujsBody<"packed" | "index", "codes", GatherCodesAttributes> = {
  check: ({ index }, _geometry, { rows }) => expectRows("gatherCodes", "index", index, rows),
  programs: ({ inputs }, { bits, columns }) => [
    {
      output: "codes",
      compute: gathered,
      reads: ["packed", "index"],
      constants: { bits, columns, mask: 2 ** bits - 1 },
      sizes: { bytes: inputs.packed[0]! },
      extent: [columns, sizeOf(inputs.index)]
    }
  ]
}
