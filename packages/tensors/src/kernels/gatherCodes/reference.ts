import type { Arrays, Geometry } from "../../Kernel.ts"
import { expectRows } from "../shapeRules.ts"
import type { GatherCodesAttributes } from "./geometry.ts"

/** codes[n, c] = bits [i b, (i + 1) b) of the stream, i = index[n] columns + c, lowest bit first. */
export const reference = (
  { packed, index }: Arrays<"packed" | "index">,
  { codes }: Arrays<"codes">,
  _geometry: Geometry<"packed" | "index", "codes">,
  { bits, rows, columns }: GatherCodesAttributes
): void => {
  expectRows("gatherCodes", "index", index, rows)
  for (const [n, row] of index.entries()) {
    for (let c = 0; c < columns; c++) {
      const bit = (row * columns + c) * bits
      const first = Math.floor(bit / 8)
      const pair = packed[first]! + 256 * (packed[first + 1] ?? 0)
      codes[n * columns + c] = Math.floor(pair / 2 ** (bit % 8)) % 2 ** bits
    }
  }
}
