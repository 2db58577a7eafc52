/** What training will make of a record, found without training: its tokens and tiles, or why it cannot be used. */
import { Random } from "@speedq/tensors"
import {
  DatasetInvalid,
  type RecordFault,
  SampleRejected,
  type SampleSettings,
  type Shown,
  sampleOutline,
  type TrainingData
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"

/** A record that can be used. */
interface UsableRecord {
  readonly _tag: "Usable"
  readonly shows: Shown["kind"]
  /** Tokens of the whole conversation, and how many of them are cut off. */
  readonly tokens: number
  readonly cut: number
  /** Labels that are left: 0 where nothing is learned. */
  readonly answerTokens: number
  readonly tiles: number
}

/** One that a stage stops at, or that another one takes the place of. */
interface BadRecord {
  readonly _tag: "Bad"
  readonly fault: RecordFault | "no record"
  readonly reason: string
}

export type RecordLook = UsableRecord | BadRecord

/** The randomness that a sample is made with in an epoch: frames of a video, augmentation, replacements. */
export const randomOf = (seed: number, sample: number, epoch: number): Random =>
  Random.make(seed, `sample ${sample} of epoch ${epoch}`)

/** Looks at a sample as the first epoch makes it; `decode` decodes its pictures too, and drops them. */
export const lookAtRecord = Effect.fnUntraced(function* (
  data: TrainingData,
  sample: number,
  settings: SampleSettings,
  { seed, decode }: { readonly seed: number; readonly decode: boolean }
) {
  return yield* Effect.gen(function* () {
    const { record, origin } = yield* data.record(sample)
    const outline = yield* sampleOutline(record, origin, settings, randomOf(seed, sample, 0))
    if (decode) yield* outline.tiles
    const look: RecordLook = {
      _tag: "Usable",
      shows: outline.shown.kind === "images" && outline.shown.paths.length === 1 ? "image" : outline.shown.kind,
      tokens: outline.inputIds.length + outline.cutOff.length,
      cut: outline.cutOff.length,
      answerTokens: outline.answerTokens,
      tiles: outline.imageFlags.length
    }
    return look
  }).pipe(
    Effect.catchIf(
      (error): error is SampleRejected | DatasetInvalid =>
        error instanceof SampleRejected || error instanceof DatasetInvalid,
      (error): Effect.Effect<RecordLook> => {
        const fault = error instanceof SampleRejected ? error.fault : "no record"
        return Effect.succeed({ _tag: "Bad", fault, reason: error.reason })
      }
    )
  )
})
