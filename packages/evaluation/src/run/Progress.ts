/** What a run tells while it goes on. */
import type { CutCell } from "../predictions/writePredictions.ts"

export type Progress =
  /** The data file is read; `answered` rows come from an earlier run. */
  | {
      readonly _tag: "Started"
      readonly benchmark: string
      readonly rows: number
      readonly answered: number
      /** Rows of the file without an image, which are not asked. */
      readonly dropped: number
    }
  /** The data file is the published one, byte for byte. */
  | { readonly _tag: "PublishedFile"; readonly file: string; readonly md5: string; readonly url: string }
  /** The data file is not the published one: its scores are not comparable with published ones. */
  | {
      readonly _tag: "NotThePublishedFile"
      readonly file: string
      readonly md5: string
      readonly published: string
      readonly url: string
    }
  /** Lines of the journal are damaged or torn and count as not there: their rows are asked again. */
  | { readonly _tag: "JournalDamaged"; readonly file: string; readonly lines: number }
  /** The data file changed since answers were kept: `changed` rows are asked again, `gone` are no longer in the file, `kept` answers stand. */
  | {
      readonly _tag: "RowsChanged"
      readonly file: string
      readonly kept: number
      readonly changed: number
      readonly gone: number
    }
  /** A row was answered. Times are in milliseconds; `left` is this run's mean time a row times the rows to come. */
  | {
      readonly _tag: "Answered"
      readonly index: string
      readonly done: number
      readonly total: number
      readonly elapsed: number
      readonly left: number
    }
  /** Texts that did not fit into the cells of the xlsx sheet; what is scored is what the file holds. */
  | { readonly _tag: "CellsCut"; readonly file: string; readonly cells: readonly CutCell[] }
  | { readonly _tag: "Written"; readonly file: string }
