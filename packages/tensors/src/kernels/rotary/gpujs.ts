import type { GpujsBody, Thread, Values } from "../../backends/gpujs/GpujsBody.ts"
import { quotient } from "../../backends/gpujs/numbers.ts"
import type { RotaryAttributes } from "./geometry.ts"

/** Digits of a frequency: 8, 8 and 8 bits, so that position times each is exact in f32 below position 2^16. */
const digits = [2 ** -8, 2 ** -16, 2 ** -24]

/**
 * Turns a position makes of each frequency theta^(-2 j / D) / (2 pi): three digits of 8 bits and the rest, [D / 2, 4].
 * An f32 angle would be off by 5e-4 at position 8192; here whole turns drop out of exact products.
 */
const turnsOf = (half: number, theta: number): Float32Array => {
  const table = new Float32Array(4 * half)
  for (let j = 0; j < half; j++) {
    let rest = theta ** (-j / half) / (2 * Math.PI)
    for (const [index, digit] of digits.entries()) {
      table[4 * j + index] = Math.floor(rest / digit) * digit
      rest -= table[4 * j + index]!
    }
    table[4 * j + 3] = rest
  }
  return table
}

interface Rotation {
  readonly thread: Thread["thread"]
  readonly constants: {
    readonly turns: Values
    readonly half: number
    readonly heads: number
    readonly inverse: number
  }
}

/** What is left of a number of turns without the whole ones, in [-1/2, 1/2]; exact. */
function fraction(x: number): number {
  return x - Math.floor(x + 0.5)
}

/** sin(2 pi part) for a part of a turn in [-1/8, 1/8]. */
function sineOfTurns(part: number): number {
  const angle = part * 6.283185307179586
  const u = angle * angle
  return (
    angle *
    (1 - u * (0.16666666666666666 - u * (0.008333333333333333 - u * (0.0001984126984126984 - u * 2.7557319e-6))))
  )
}

/** cos(2 pi part) for a part of a turn in [-1/8, 1/8]. */
function cosineOfTurns(part: number): number {
  const angle = part * 6.283185307179586
  const u = angle * angle
  return 1 - u * (0.5 - u * (0.041666666666666664 - u * (0.001388888888888889 - u * 0.0000248015873)))
}

/** Element x of head y of token z. */
function rotated(this: Rotation, x: Values, positions: Values) {
  const upper = quotient(this.thread.x, this.constants.half)
  const j = this.thread.x - upper * this.constants.half
  const position = positions[this.thread.z]
  let turns = fraction(position * this.constants.turns[(j | 0) * 4])
  turns = fraction(turns + fraction(position * this.constants.turns[(j | 0) * 4 + 1]))
  turns = fraction(turns + fraction(position * this.constants.turns[(j | 0) * 4 + 2]))
  turns = turns + position * this.constants.turns[(j | 0) * 4 + 3]
  // The nearest quarter, and what is left of it.
  const quarter = Math.floor(turns * 4 + 0.5)
  const left = turns - quarter * 0.25
  const quadrant = quarter - 4 * Math.floor(quarter * 0.25)
  const c = cosineOfTurns(left)
  const s = sineOfTurns(left)
  let cosine = c
  let sine = s
  if (quadrant === 1) {
    cosine = -s
    sine = c
  }
  if (quadrant === 2) {
    cosine = -c
    sine = -s
  }
  if (quadrant === 3) {
    cosine = s
    sine = -c
  }
  if (this.constants.inverse === 1) {
    sine = -sine
  }
  if (upper > 0.5) {
    return (
      x[((this.thread.z * this.constants.heads + this.thread.y) * 2 + 1) * this.constants.half + (j | 0)] * cosine +
      x[(this.thread.z * this.constants.heads + this.thread.y) * 2 * this.constants.half + (j | 0)] * sine
    )
  }
  return (
    x[(this.thread.z * this.constants.heads + this.thread.y) * 2 * this.constants.half + (j | 0)] * cosine -
    x[((this.thread.z * this.constants.heads + this.thread.y) * 2 + 1) * this.constants.half + (j | 0)] * sine
  )
}

export const gpujs: GpujsBody<"x" | "positions", "y", RotaryAttributes> = {
  programs: ({ inputs }, { theta, inverse }) => {
    const [batch, tokens, heads, width] = inputs.x as readonly [number, number, number, number]
    const half = width / 2
    return [
      {
        output: "y",
        compute: rotated,
        reads: ["x", "positions"],
        constants: { half, heads, inverse: Number(inverse) },
        tables: { turns: turnsOf(half, theta) },
        extent: [width, heads, batch * tokens],
        helpers: [quotient, fraction, sineOfTurns, cosineOfTurns]
      }
    ]
  }
}
