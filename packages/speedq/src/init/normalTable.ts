/**
 * Normal numbers in bfloat16, fast: 16 random bits choose one of 65,536 equally likely quantiles, so one random word gives
 * two numbers. A bfloat16 has 8 significant bits; finer quantiles would round to the same patterns nearly everywhere.
 */

import type { Random } from "@speedq/tensors"
import { f32ToBf16 } from "@speedq/tensors"

const size = 2 ** 16
const substeps = 8

/** Quantiles of the standard normal distribution at (i + 1/2) / 65536, by dz/dp = sqrt(2 pi) exp(z^2 / 2) from z(1/2) = 0. */
export const standardQuantiles = (): Float32Array => {
  const quantiles = new Float32Array(size)
  const slope = (z: number) => Math.sqrt(2 * Math.PI) * Math.exp((z * z) / 2)
  let z = 0
  for (let i = size / 2; i < size; i++) {
    const distance = (i === size / 2 ? 0.5 : 1) / size
    const h = distance / substeps
    for (let step = 0; step < substeps; step++) {
      // Runge-Kutta of fourth order: the slope grows a thousandfold towards the end of the table.
      const k1 = slope(z)
      const k2 = slope(z + (h / 2) * k1)
      const k3 = slope(z + (h / 2) * k2)
      const k4 = slope(z + h * k3)
      z += (h / 6) * (k1 + 2 * k2 + 2 * k3 + k4)
    }
    quantiles[i] = z
    quantiles[size - 1 - i] = -z
  }
  return quantiles
}

/** Patterns [65536] of a normal distribution around 0. */
export const normalTable = (deviation: number): Uint16Array =>
  f32ToBf16(standardQuantiles().map((quantile) => deviation * quantile))

/** Fills `target` with draws from a table: the upper half of each random word, then the lower. */
export const drawFrom = (table: Uint16Array, random: Random, target: Uint16Array): void => {
  for (let i = 0; i < target.length; i += 2) {
    const bits = random.nextUint32()
    target[i] = table[bits >>> 16]!
    if (i + 1 < target.length) target[i + 1] = table[bits & 0xffff]!
  }
}
