/** How much of a step the records of a mixture take: their tokens and tiles as they are, of some of them where they are many. */
import type { Compat, RecipeSettings } from "@speedq/pipeline"
import { Random } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { type Mixture, readMixture } from "../data/mixture.ts"
import { pathsOf } from "../data/pictureSurvey.ts"
import type { RecordLook } from "../data/recordLook.ts"
import { openSampleLoader } from "../data/SampleLoader.ts"
import { makingOf } from "../data/SampleSource.ts"
import type { DataConfig } from "../training/TrainingConfig.ts"

/** What a record takes: its tokens, those that are answers, and its tiles, which are the frames of a video. */
export interface RecordExtent {
  readonly kind: Extract<RecordLook, { readonly _tag: "Usable" }>["shows"]
  readonly tokens: number
  readonly answers: number
  readonly tiles: number
}

export interface DataExtent {
  /** Samples of the mixture. */
  readonly count: number
  /** Of the records that were looked at and can be used, drawn with the recipe's seed where they are many. */
  readonly records: readonly RecordExtent[]
  /** Whether these are all samples of the mixture, in its order. */
  readonly whole: boolean
  /** How many were looked at. */
  readonly looked: number
  /** Different pictures and videos among those that the selected lines name. */
  readonly distinct: number
}

/** Records that are looked at: their text is encoded, and the headers of their pictures are read. */
const mostLookedAt = 256

/** Mixtures that were looked at, each with the ways in which samples are made. */
const known = new WeakMap<Mixture, Map<string, DataExtent>>()

const distinctShare = ({ parts }: Mixture): number => {
  const all = parts.map(({ records }) => records.shown.flatMap(pathsOf))
  const count = all.reduce((sum, { length }) => sum + length, 0)
  return count === 0 ? 1 : all.reduce((sum, paths) => sum + new Set(paths).size, 0) / count
}

const extentOf = (look: RecordLook): readonly RecordExtent[] => {
  if (look._tag === "Bad") return []
  const { shows: kind, tokens, cut, answerTokens: answers, tiles } = look
  return [{ kind, tokens: tokens - cut, answers, tiles }]
}

const lookAt = Effect.fnUntraced(function* (
  mixture: Mixture,
  making: ReturnType<typeof makingOf>,
  { model, seed }: RecipeSettings
) {
  const loader = yield* openSampleLoader({ model, index: mixture.parts, ...making, dropped: new Set(), seed })
  const order = Random.make(seed, "records that a forecast looks at").permutation(mixture.count)
  const places = [...order.subarray(0, mostLookedAt)].sort((a, b) => a - b)
  const records = (yield* loader.look(places, false)).flatMap(extentOf)
  const { count } = mixture
  return { count, records, whole: records.length === count, looked: places.length, distinct: distinctShare(mixture) }
}, Effect.scoped)

/** None where model or data are not there, or no record can be used: what stands in the way is said elsewhere. */
export const dataExtent = Effect.fn("dataExtent")(
  function* (data: DataConfig, compat: typeof Compat.Type, recipe: RecipeSettings) {
    const mixture = yield* readMixture({ data, seed: recipe.seed })
    const making = makingOf(data, compat)
    const before = known.get(mixture) ?? new Map<string, DataExtent>()
    known.set(mixture, before)
    const key = JSON.stringify([recipe.model, recipe.seed, making])
    const extent: DataExtent = before.get(key) ?? (yield* lookAt(mixture, making, recipe))
    before.set(key, extent)
    return extent.records.length === 0 ? Option.none<DataExtent>() : Option.some(extent)
  },
  Effect.orElseSucceed(() => Option.none<DataExtent>())
)

const percent = (share: number): string => `${Math.round(100 * share)} %`

const mean = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0) / numbers.length

/** `20 % text, 75 % with pictures (3.1 tiles), 5 % videos (20.0 frames); 812 tokens a sample, 96 of them answers`. */
export const extentLine = ({ records, looked, count }: DataExtent): string => {
  const kinds = [
    { name: "text", unit: undefined, of: records.filter(({ kind }) => kind === "text") },
    { name: "with pictures", unit: "tiles", of: records.filter(({ kind }) => kind === "image" || kind === "images") },
    { name: "videos", unit: "frames", of: records.filter(({ kind }) => kind === "video") }
  ]
  const told = kinds
    .filter(({ of }) => of.length > 0)
    .map(({ name, unit, of }) => {
      const size = unit === undefined ? "" : ` (${mean(of.map(({ tiles }) => tiles)).toFixed(1)} ${unit})`
      return `${percent(of.length / records.length)} ${name}${size}`
    })
  const tokens = mean(records.map((record) => record.tokens)).toFixed(0)
  const answers = mean(records.map((record) => record.answers)).toFixed(0)
  const of = looked < count ? ` (${looked} of ${count} looked at)` : ""
  return `samples: ${told.join(", ")}; ${tokens} tokens each on average, ${answers} of them answers${of}`
}
