/** The records of a data set as a stage will find them, looked at before any work: by its rules, their pictures, first bytes of these. */
import type { RecipeSettings } from "@speedq/pipeline"
import { Random } from "@speedq/tensors"
import { openModelDirectory, type PictureLimits, type RecordRules, type Shown } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { surveyHeaders, type UnreadablePicture } from "../data/headerSurvey.ts"
import { lookingAt, type MixturePart } from "../data/mixture.ts"
import { type SurveyedPictures, surveyPictures } from "../data/pictureSurvey.ts"
import { type RuledRecords, ruleRecords } from "../data/ruledRecords.ts"
import { SurveyProgress } from "../data/SurveyProgress.ts"

/** Records of a data set that are looked at; of more, a sample is. */
const mostLookedAt = 100_000
/** Those of them whose pictures' first bytes are read. */
const mostOpened = 256

export interface LookedRecords {
  readonly part: MixturePart
  readonly records: RuledRecords
  readonly pictures: SurveyedPictures
  /** Of `opened` of the records that show pictures. */
  readonly unreadable: readonly UnreadablePicture[]
  readonly opened: number
}

/** How a stage reads records. */
interface Reading {
  readonly rules: RecordRules
  readonly limits: PictureLimits
  /** Directory of the model whose tokenizer the rules have. */
  readonly model: string
}

/** Some of `count` places, ascending, drawn with the recipe's seed where they are many. */
const drawn = (count: number, most: number, seed: number, what: string): readonly number[] => {
  const places = Array.from({ length: count }, (_, place) => place)
  if (count <= most) return places
  return [...Random.make(seed, what).permutation(count).subarray(0, most)].sort((a, b) => a - b)
}

/** The rules of a stage, with the tokenizer of its model if that is there. */
export const rulesFor = (quirks: RecordRules["quirks"], { model }: Pick<RecipeSettings, "model">) =>
  Effect.match(openModelDirectory(model), {
    onSuccess: ({ tokenizer }): RecordRules => ({ quirks, tokenizer }),
    onFailure: (): RecordRules => ({ quirks, tokenizer: undefined })
  })

/** Records that were judged, by the rules: plans of stages and variants that read a mixture alike ask for the same. */
const known = new WeakMap<MixturePart, Map<string, RuledRecords>>()

const judged = Effect.fnUntraced(function* (part: MixturePart, lines: Uint32Array, { rules, model }: Reading) {
  const before = known.get(part) ?? new Map<string, RuledRecords>()
  known.set(part, before)
  const key = JSON.stringify([rules.quirks, model, rules.tokenizer !== undefined])
  const look = lookingAt(part.dataset, (content) => ruleRecords(content, part.starts, lines, rules))
  const records = before.get(key) ?? (yield* look)
  before.set(key, records)
  return records
})

const isPicture = (shown: Shown | undefined): boolean => shown?.kind === "image" || shown?.kind === "images"

/** Looks at the records of a data set, or at a sample of them. Fails with DataUnusable. */
export const lookAtRecords = Effect.fnUntraced(function* (part: MixturePart, reading: Reading, seed: number) {
  const { dataset } = part
  const all = part.records.lines
  const places = drawn(all.length, mostLookedAt, seed, `pictures of ${dataset.name}`)
  const lines = Uint32Array.from(places, (place) => all[place]!)
  const records = yield* judged(part, lines, reading)
  const told = yield* SurveyProgress
  const pictures = yield* Effect.promise(() =>
    surveyPictures(dataset.root, records, "time", (done) => told(dataset.name, done, lines.length))
  )
  const showing = [...lines.keys()].filter((place) => isPicture(records.shown[place]))
  const opened = drawn(showing.length, mostOpened, seed, `first bytes of pictures of ${dataset.name}`)
  const opening = {
    lines: opened.map((at) => lines[showing[at]!]!),
    shown: opened.map((at) => records.shown[showing[at]!])
  }
  const unreadable = yield* surveyHeaders(dataset.root, opening, reading.limits)
  const looked: LookedRecords = { part, records, pictures, unreadable, opened: opened.length }
  return looked
})

/** How many of the records that were looked at cannot be used; of pictures that were not opened, as many as of the others. */
export const unusableRecords = ({ records, pictures, unreadable, opened }: LookedRecords): number => {
  const missing = new Set(pictures.missing.map(({ line }) => line))
  const damaged = new Set(unreadable.map(({ line }) => line).filter((line) => !missing.has(line)))
  const showing = records.shown.filter(isPicture).length
  const ofAll = opened === 0 ? 0 : Math.round((damaged.size * showing) / opened)
  return Math.min(records.lines.length, records.noRecords.size + records.refused.size + missing.size + ofAll)
}
