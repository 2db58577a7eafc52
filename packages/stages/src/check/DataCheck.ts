/** What a check of data found, as data. */
import type { RecordFault } from "@speedq/vlm-model"
import type { CheckedData } from "./checkedData.ts"

/** Of numbers, sorted: those at the rank of each share. */
export interface Quantiles {
  readonly min: number
  readonly median: number
  readonly p90: number
  readonly max: number
}

/** A line from which nothing is learned, or not all of it. */
export interface NamedLine {
  readonly dataset: string
  readonly file: string
  /** Counted from 1. */
  readonly line: number
  /** `no answer` and `answer cut off`: the record is used, and nothing is learned from it. */
  readonly fault: RecordFault | "no record" | "no answer" | "answer cut off"
  readonly reason: string
}

/** A data set of a mixture. Records are the different lines that are selected, however often each is repeated. */
export interface DatasetCheck {
  readonly name: string
  readonly annotation: string
  /** Lines of the file. */
  readonly lines: number
  /** Samples of an epoch, and the records that they are made of. */
  readonly samples: number
  readonly records: number
  readonly usable: number
  /** Of the usable records. */
  readonly shows: { readonly text: number; readonly image: number; readonly images: number; readonly video: number }
  /** Tokens of the usable records, before anything is cut off; null where there is none. */
  readonly tokens: Quantiles | null
  readonly tiles: { readonly total: number; readonly max: number }
  /** Records that are cut at maxLength, whatever is left of their answers. */
  readonly cut: number
  readonly faults: { readonly [fault in NamedLine["fault"]]?: number }
}

export interface DataCheck extends Pick<CheckedData, "stages" | "data" | "recipe"> {
  /** Whether pictures were decoded, or only their headers read. */
  readonly decoded: boolean
  readonly datasets: readonly DatasetCheck[]
  readonly named: readonly NamedLine[]
  /** Why a stage cannot be trained on this data, and what it will warn of. */
  readonly problems: readonly string[]
  readonly warnings: readonly string[]
}

/** Numbers at the ranks of the quantiles, the nearest ones above. */
export const quantilesOf = (values: Iterable<number>): Quantiles | null => {
  const sorted = Float64Array.from(values).sort()
  if (sorted.length === 0) return null
  const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)]!
  return { min: at(0), median: at(0.5), p90: at(0.9), max: at(1) }
}
