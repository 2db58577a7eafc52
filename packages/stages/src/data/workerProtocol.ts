/** What passes between the run and its worker threads. */
import type { RecordLook } from "./recordLook.ts"
import type { LoadingPlan, MicroBatch } from "./SampleLoader.ts"

/** A request; `loader` is a number that the run gives to each mixture it opens. */
export type Request =
  | { readonly _tag: "open"; readonly id: number; readonly loader: number; readonly plan: LoadingPlan }
  | {
      readonly _tag: "batch"
      readonly id: number
      readonly loader: number
      readonly samples: readonly number[]
      readonly epoch: number
    }
  | {
      readonly _tag: "lengths"
      readonly id: number
      readonly loader: number
      readonly from: number
      readonly to: number
    }
  | {
      readonly _tag: "look"
      readonly id: number
      readonly loader: number
      readonly samples: readonly number[]
      readonly decode: boolean
    }
  | { readonly _tag: "close"; readonly id: number; readonly loader: number }

/** What a request gives. */
export interface Results {
  readonly open: undefined
  readonly batch: MicroBatch
  readonly lengths: Int32Array
  readonly look: readonly RecordLook[]
  readonly close: undefined
}

/** `unusable` is a DataUnusable in parts; anything else that went wrong is a defect. */
export type Reply =
  | { readonly id: number; readonly _tag: "done"; readonly result: Results[keyof Results] }
  | { readonly id: number; readonly _tag: "unusable"; readonly reason: string; readonly fix: string | undefined }
  | { readonly id: number; readonly _tag: "defect"; readonly reason: string }

/** Sent once by the thread, when it can take requests. */
export const ready = "ready"

/** Sent once by the run: the thread closes what it has open and ends. */
export const stop = "stop"
