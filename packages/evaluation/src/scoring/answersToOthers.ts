/** Predictions of another data file whose rows happen to have the same indexes: they would be scored as wrong answers. */
import type { Row } from "../data/Row.ts"
import { askedColumns, type Prediction } from "../predictions/Prediction.ts"

/** Programs write white space and numbers differently, and cut long cells. */
const isSame = (a: string, b: string): boolean => {
  const [one, other] = [a, b].map((text) => text.replaceAll(/\s+/g, " ").trim().slice(0, 1000))
  return one === other || (one !== "" && other !== "" && Number(one) === Number(other))
}

/** The first row of which the predictions say something else than the data, where that is so of most rows that they speak of. */
export const answersToOthers = (rowOf: (index: string) => Row | undefined, predictions: readonly Prediction[]) => {
  let compared = 0
  const differing: { row: number; column: string; predicted: string; data: string }[] = []
  for (const [at, { index, asked = {} }] of predictions.entries()) {
    const cells = rowOf(index)?.cells
    const both = askedColumns.flatMap((column) => {
      const [predicted, data] = [asked[column], cells?.get(column)]
      return predicted === undefined || data === undefined ? [] : [{ row: at + 1, column, predicted, data }]
    })
    if (both.length > 0) compared++
    differing.push(...both.filter(({ predicted, data }) => !isSame(predicted, data)).slice(0, 1))
  }
  const [first] = differing
  return first !== undefined && differing.length > compared / 2
    ? { differing: differing.length, compared, ...first }
    : undefined
}
