/** A row of a predictions file. */

/** Columns of the data file that tell whether a prediction is one of its rows. */
export const askedColumns = ["question", "answer"] as const

/** What a predictions file says that a row asks and expects. */
type Asked = { readonly [column in (typeof askedColumns)[number]]?: string | undefined }

/** A prediction for the row with that index. */
export interface Prediction {
  readonly index: string
  readonly prediction: string
  /** Cells of the row that was answered, as far as the predictions carry them. */
  readonly asked?: Asked
}
