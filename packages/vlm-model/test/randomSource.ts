/** A small seeded random stream (mulberry32). */
import type { RandomSource } from "../src/index.ts"

export const randomSource = (seed: number): RandomSource => {
  let state = seed | 0
  return {
    nextUint32: () => {
      state = (state + 0x6d2b79f5) | 0
      let z = Math.imul(state ^ (state >>> 15), state | 1)
      z ^= z + Math.imul(z ^ (z >>> 7), z | 61)
      return (z ^ (z >>> 14)) >>> 0
    }
  }
}
