/** Which rows of a batch a loss reads: labels are shifted, so the hidden state at t predicts the label at t + 1. */
import { ignoredLabel } from "@speedq/tensors"

/** Labels of a batch, row-major [B, T]; `ignoredLabel`, -100, where there is none. */
export interface Labels {
  readonly values: Int32Array
  readonly batch: number
  readonly length: number
}

/** Weights by flat row b * T + t; rows that are not in the map cost nothing. */
export type RowWeights = ReadonlyMap<number, number>

/** Label that the row predicts: labels[b, t + 1], none for the last position of a sequence. */
export const predictedLabel = ({ values, length }: Labels, row: number): number =>
  (row + 1) % length === 0 ? ignoredLabel : values[row + 1]!

/** Every row: prompt, image and padding included. */
export const allRows = ({ values }: Labels): readonly number[] => [...values.keys()]

/** Rows whose prediction has a label. */
export const predictingRows = (labels: Labels): readonly number[] =>
  allRows(labels).filter((row) => predictedLabel(labels, row) !== ignoredLabel)

/** Rows that carry a label themselves: the reference's unshifted mask (docs/quirks.md#quirk-1). */
export const labelledRows = (labels: Labels): readonly number[] =>
  allRows(labels).filter((row) => labels.values[row] !== ignoredLabel)

/** Rows of each sequence up to the one that predicts its last label: prompts and pictures too, and no padding behind it. */
export const rowsUpToLabels = (labels: Labels): readonly number[] => {
  const { batch, length } = labels
  const last = new Array<number>(batch).fill(-1)
  for (const row of predictingRows(labels)) last[Math.floor(row / length)] = row
  return allRows(labels).filter((row) => row <= last[Math.floor(row / length)]!)
}
