import type { Arrays, Geometry } from "../../Kernel.ts"
import type { UnpackCodesAttributes } from "./definition.ts"

/** codes[i] = bits [i b, (i + 1) b) of the stream, lowest bit first. */
export const reference = (
  { packed }: Arrays<"packed">,
  { codes }: Arrays<"codes">,
  _geometry: Geometry<"packed", "codes">,
  { bits }: UnpackCodesAttributes
): void => {
  for (let i = 0; i < codes.length; i++) {
    const first = Math.floor((i * bits) / 8)
    const pair = packed[first]! + 256 * (packed[first + 1] ?? 0)
    codes[i] = Math.floor(pair / 2 ** ((i * bits) % 8)) % 2 ** bits
  }
}
