/** Where pixel shuffle puts things. */
import { InvalidAttribute, ShapeMismatch } from "../../core/Errors.ts"
import type { Shape } from "../../core/Shape.ts"
import { expectAxes, expectInteger } from "../operands/shapeRules.ts"

export interface PixelShuffleAttributes {
  /** How many neighbours along each side become one. */
  readonly factor: number
  /** v1 has the two axes of the result swapped. */
  readonly version: "v1" | "v2"
  /** From the coarse grid back to the fine one: the gradient. */
  readonly inverse: boolean
}

interface ShuffleSize {
  readonly tiles: number
  /** Extents of the coarse grid and channels of the fine one. */
  readonly height: number
  readonly width: number
  readonly channels: number
}

/** Extents from x: fine [T, h, w, C], or coarse [T, h', w', f f C] when inverse. Raises ShapeMismatch and InvalidAttribute. */
export const shuffleSize = (x: Shape, { factor, version, inverse }: PixelShuffleAttributes): ShuffleSize => {
  expectInteger("pixelShuffle", "factor", factor, 1)
  if (version !== "v1" && version !== "v2") {
    throw new InvalidAttribute("pixelShuffle", "version", version, "v1 or v2")
  }
  expectAxes("pixelShuffle", "x", x, 4)
  const [tiles, rows, columns, channels] = x as [number, number, number, number]
  if (inverse) {
    if (channels % (factor * factor) !== 0) {
      throw new ShapeMismatch("pixelShuffle", "x", `channels that ${factor * factor} divides`, x)
    }
    const [height, width] = version === "v1" ? [columns, rows] : [rows, columns]
    return { tiles, height, width, channels: channels / (factor * factor) }
  }
  if (rows % factor !== 0 || columns % factor !== 0) {
    throw new ShapeMismatch("pixelShuffle", "x", `height and width that ${factor} divides`, x)
  }
  return { tiles, height: rows / factor, width: columns / factor, channels }
}

/** Shape of the fine grid [T, h, w, C]. */
export const fineShape = ({ tiles, height, width, channels }: ShuffleSize, factor: number): Shape => [
  tiles,
  height * factor,
  width * factor,
  channels
]

/** Shape of the coarse grid: [T, h', w', f f C], or [T, w', h', f f C] in v1. */
export const coarseShape = (
  { tiles, height, width, channels }: ShuffleSize,
  { factor, version }: PixelShuffleAttributes
): Shape => [tiles, ...(version === "v1" ? [width, height] : [height, width]), factor * factor * channels]
