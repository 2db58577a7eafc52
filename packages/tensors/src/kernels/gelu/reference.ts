import type { Arrays } from "../../Kernel.ts"

/**
 * erf to double precision: Maclaurin series below 3, Lentz continued fraction of erfc above.
 * Slow on purpose: this is what the others are measured against.
 */
export const erf = (x: number): number => {
  const z = Math.abs(x)
  if (Number.isNaN(x)) return x
  if (z > 6) return Math.sign(x)
  if (z < 3) {
    let term = x
    let sum = x
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= (-x * x) / n
      sum += term / (2 * n + 1)
    }
    return (2 / Math.sqrt(Math.PI)) * sum
  }
  // erfc(z) = exp(-z^2) / (sqrt(pi) (z + (1/2)/(z + 1/(z + (3/2)/(z + ...)))))
  let fraction = z
  for (let n = 60; n >= 1; n--) fraction = z + n / 2 / fraction
  return Math.sign(x) * (1 - Math.exp(-z * z) / (Math.sqrt(Math.PI) * fraction))
}

/** Cumulative distribution of the standard normal. */
const phi = (x: number): number => 0.5 * (1 + erf(x * Math.SQRT1_2))

/** y = x Phi(x) */
export const reference = ({ x }: Arrays<"x">, { y }: Arrays<"y">): void => {
  for (let i = 0; i < y.length; i++) y[i] = x[i]! * phi(x[i]!)
}

/** dx = dy (Phi(x) + x exp(-x^2 / 2) / sqrt(2 pi)) */
export const referenceGradient = ({ x, dy }: Arrays<"x" | "dy">, { dx }: Arrays<"dx">): void => {
  for (let i = 0; i < dx.length; i++) {
    const density = Math.exp(-0.5 * x[i]! * x[i]!) / Math.sqrt(2 * Math.PI)
    dx[i] = dy[i]! * (phi(x[i]!) + x[i]! * density)
  }
}
