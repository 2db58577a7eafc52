/** Why a mixture gives a stage no sample, and what to do. */
import type { DataConfig } from "../training/TrainingConfig.ts"

/** `lines` has the lines of each data set's annotation file; `option` is what the stage calls the mixture. */
export const noSample = (
  { meta, percent }: Pick<DataConfig, "meta" | "percent">,
  lines: readonly number[],
  option = "data"
) => {
  if (lines.length === 0) return { issue: `${meta} names no data set`, fix: "add one" }
  if (lines.every((count) => count === 0))
    return { issue: `the annotation files of ${meta} are empty`, fix: "add records" }
  const raise = percent === 0 ? "repeat_time of its data sets" : `${option}.percent`
  return { issue: `${meta} selects no sample`, fix: `raise ${raise}, or give more data` }
}
