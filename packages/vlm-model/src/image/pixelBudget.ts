/** Pictures that are shown together have no more pixels together than one may have: a thousand small ones take the memory of a large one. */
import type { PictureLimits } from "./decodeImage.ts"
import { defaultMaxPixels } from "./maxPixels.ts"

/**
 * Why pictures of these sizes are not shown together; undefined where they are.
 *
 * @example overBudget([{ width: 900, height: 800 }, { width: 900, height: 700 }], { maxPixels: 1e6 }) // "its 2 pictures have ..."
 */
export const overBudget = (
  sizes: ReadonlyArray<{ readonly width: number; readonly height: number }>,
  { maxPixels = defaultMaxPixels }: PictureLimits
): string | undefined => {
  const pixels = sizes.reduce((sum, { width, height }) => sum + width * height, 0)
  if (pixels <= maxPixels) return undefined
  return `its ${sizes.length} pictures have ${pixels} pixels together, more than ${maxPixels}; shrink them, take some out, or raise maxPixels`
}
