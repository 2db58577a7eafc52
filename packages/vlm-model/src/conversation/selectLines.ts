/** Which lines of a data set are trained on. */
import type { PythonRandom } from "./pythonRandom.ts"

/**
 * Lines, counted from 0, in training order: `percent` of them drawn at random (0: all, in file order), then a part or
 * a repetition of that. The reference seeds one generator with 42 and passes through all data sets with it, so what
 * is drawn depends on the data sets before.
 */
export const selectLines = (lines: number, repeatTime: number, percent: number, random: PythonRandom): Uint32Array => {
  // A double that is cut off, as Python computes it.
  const drawn =
    percent === 0
      ? Uint32Array.from({ length: lines }, (_, line) => line)
      : random.sample(lines, Math.floor((lines * percent) / 100))
  if (repeatTime < 1) return drawn.subarray(0, Math.floor(drawn.length * repeatTime))
  const repeated = new Uint32Array(drawn.length * repeatTime)
  for (let copy = 0; copy < repeatTime; copy++) repeated.set(drawn, copy * drawn.length)
  return repeated
}
