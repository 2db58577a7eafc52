import type { Arrays } from "../../core/Computation.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { roundHalfEven } from "../../numbers/roundHalfEven.ts"
import type { AdaroundScalesAttributes } from "./geometry.ts"

const f = Math.fround
const shrinks = 80
const exponent = 2.4

/** mean |w - q|^2.4 of quantizing a group to nearest with one scale and zero point. */
const score = (group: Float64Array, scale: number, zero: number, levels: number): number => {
  let sum = 0
  for (const w of group) {
    const code = Math.min(Math.max(roundHalfEven(f(w / scale)) + zero, 0), levels)
    sum += Math.abs(f(w - f(f(code - zero) * scale))) ** exponent
  }
  return sum / group.length
}

export const reference = (
  { weight }: Arrays<"weight">,
  { scale, zero }: Arrays<"scale" | "zero">,
  _geometry: Geometry<"weight", "scale" | "zero">,
  { bits, group, method }: AdaroundScalesAttributes
): void => {
  const levels = 2 ** bits - 1
  for (let index = 0; index < scale.length; index++) {
    const w = weight.subarray(index * group, (index + 1) * group)
    // With 0 inside, zero points are codes.
    const low = Math.min(...w, 0)
    const high = Math.max(...w, 0)
    if (method === "max") {
      scale[index] = Math.max(f(f(high - low) / levels), f(1e-8))
      zero[index] = roundHalfEven(f(-low / scale[index]!))
      continue
    }
    let best = Number.POSITIVE_INFINITY
    for (let k = 0; k < shrinks; k++) {
      const factor = f(1 - 0.01 * k)
      const shrunkLow = f(low * factor)
      const delta = Math.max(f(f(f(high * factor) - shrunkLow) / levels), f(1e-8)) // a constant group has no range
      const point = roundHalfEven(f(-shrunkLow / delta))
      const candidate = score(w, delta, point, levels)
      if (candidate >= best) continue
      best = candidate
      scale[index] = delta
      zero[index] = point
    }
  }
}
