/** Images made of a linear congruential generator, which a fixture's author can make too. */
import type { RgbImage } from "../src/index.ts"

export const generatedImage = (width: number, height: number, seed: number): RgbImage => {
  const data = new Uint8Array(width * height * 3)
  let state = seed
  for (let i = 0; i < data.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    data[i] = state >>> 24
  }
  return { width, height, data }
}
