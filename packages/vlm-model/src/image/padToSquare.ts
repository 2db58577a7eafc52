/** Puts an image into the middle of a square of one colour (`pad2square`, off in the released models). */
import type { PixelStatistics } from "./normalize.ts"
import type { RgbImage } from "./RgbImage.ts"

/** The square has the longer side and the mean colour of the statistics; odd remainders go to the right and bottom. */
export const padToSquare = (image: RgbImage, { mean }: PixelStatistics): RgbImage => {
  const { width, height } = image
  if (width === height) return image
  const side = Math.max(width, height)
  const colour = mean.map((value) => Math.trunc(value * 255))
  const data = new Uint8Array(side * side * 3)
  for (let at = 0; at < data.length; at++) data[at] = colour[at % 3]!
  const left = Math.floor((side - width) / 2)
  const top = Math.floor((side - height) / 2)
  for (let y = 0; y < height; y++) {
    data.set(image.data.subarray(y * width * 3, (y + 1) * width * 3), ((top + y) * side + left) * 3)
  }
  return { width: side, height: side, data }
}
