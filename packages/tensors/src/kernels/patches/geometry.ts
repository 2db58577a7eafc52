/** Extents of square images cut into square patches. */
import { ShapeMismatch } from "../../core/Errors.ts"
import type { Shape } from "../../core/Shape.ts"
import { expectAxes, expectInteger } from "../operands/shapeRules.ts"

export interface PatchesAttributes {
  /** Pixels along a side of a patch. */
  readonly patch: number
  /** From patches back to images: the gradient. */
  readonly inverse: boolean
}

interface PatchesSize {
  readonly tiles: number
  readonly channels: number
  /** Patches along a side of an image. */
  readonly grid: number
}

/** Extents from x: images [T, C, S, S], or patches [T, n n, C p p] when inverse. Raises ShapeMismatch and InvalidAttribute. */
export const patchesSize = (x: Shape, { patch, inverse }: PatchesAttributes): PatchesSize => {
  expectInteger("patches", "patch", patch, 1)
  if (inverse) {
    expectAxes("patches", "x", x, 3)
    const [tiles, count, columns] = x as [number, number, number]
    const grid = Math.round(Math.sqrt(count))
    if (grid * grid !== count || columns % (patch * patch) !== 0) {
      throw new ShapeMismatch("patches", "x", `[T, n n, C ${patch} ${patch}]`, x)
    }
    return { tiles, channels: columns / (patch * patch), grid }
  }
  expectAxes("patches", "x", x, 4)
  const [tiles, channels, height, width] = x as [number, number, number, number]
  if (height !== width || height % patch !== 0) {
    throw new ShapeMismatch("patches", "x", `square images whose side ${patch} divides`, x)
  }
  return { tiles, channels, grid: height / patch }
}
