/** Rows whose pictures are none, are cut off, or are too large: found before any of them is asked. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { RowInvalid } from "../Errors.ts"
import type { DataFile, DataRow } from "./DataFile.ts"
import { checkRowImages, type RowImageOptions } from "./rowImages.ts"

/**
 * Looks at the pictures of rows, in order, for `seconds` at most. Damage in the middle of a picture is not found.
 *
 * Fails with FileFailed where the data file cannot be read.
 *
 * @example const { looked, invalid } = yield* unreadableRows(data, data.rows, { seconds: 5 })
 */
export const unreadableRows = Effect.fn("evaluation.unreadableRows")(function* (
  data: DataFile,
  rows: readonly DataRow[],
  { seconds, ...options }: RowImageOptions & { readonly seconds: number }
) {
  const end = (yield* Clock.monotonicTimeNanos) + BigInt(1e9 * seconds)
  const invalid: RowInvalid[] = []
  let looked = 0
  for (const row of rows) {
    if ((yield* Clock.monotonicTimeNanos) > end) break
    yield* checkRowImages(data, row, options).pipe(
      Effect.catchTag("RowInvalid", (error) => Effect.sync(() => void invalid.push(error)))
    )
    looked++
  }
  return { looked, invalid }
})
