import type { Arrays, Geometry } from "../../Kernel.ts"

/** confidence = 1 / sum_v exp(logits[v] - max): the numerator of the largest is 1 */
export const reference = (
  { logits }: Arrays<"logits">,
  { confidence }: Arrays<"confidence">,
  { inputs }: Geometry<"logits", "confidence">
): void => {
  const vocabulary = inputs.logits[1]!
  for (let row = 0; row < confidence.length; row++) {
    const x = logits.subarray(row * vocabulary, (row + 1) * vocabulary)
    const most = x.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
    confidence[row] = 1 / x.reduce((sum, value) => sum + Math.exp(value - most), 0)
  }
}
