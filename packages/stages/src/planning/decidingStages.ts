/** Which stages of a recipe decide a layer's quantizer, and where two of them decide differently. */
import type { Forecast, Stage } from "@speedq/pipeline"
import { encodeChoice, type QuantizerChoice, QuantizerSpec, RuleSpec } from "@speedq/quantizers"
import { type ModelConfig, type Tower, towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { Allocation, ClippingRanges, QuantizedLanguage, QuantizedVision } from "../artefacts/artefacts.ts"
import { chosenMatrices, planEmbeddings, planTowers } from "../model/plannedLayers.ts"
import { stagesBefore } from "./givenBefore.ts"

/** The part of a stage's configuration that decides quantizers; a stage without one of these options decides nothing by it. */
const Deciding = Schema.Struct({
  quantizers: Schema.optionalKey(Schema.Array(RuleSpec)),
  embeddings: Schema.optionalKey(Schema.NullOr(QuantizerSpec)),
  quantizeProjector: Schema.optionalKey(Schema.Boolean),
  compat: Schema.optionalKey(Schema.Literals(["careful", "reference"]))
})
const decodeDeciding = Schema.decodeUnknownOption(Deciding)

type StageOfRecipe = Stage.PlaceInRecipe["stages"][number]["stage"]

/** Towers whose Linears a stage decides about, by what it gives. */
const towersOf = ({ gives }: StageOfRecipe, quantizeProjector = false): readonly Tower[] => {
  const names = gives.map(({ name }) => name)
  const language = names.includes(QuantizedLanguage.name) || names.includes(ClippingRanges.name)
  return [
    ...(names.includes(QuantizedVision.name) ? (["vision"] as const) : []),
    ...(quantizeProjector ? (["projector"] as const) : []),
    ...(language ? (["language"] as const) : [])
  ]
}

/** What the rules of a stage decide: about the Linears of its towers together, and about embedding and head. */
export const planStage = Effect.fnUntraced(function* (config: ModelConfig, stage: StageOfRecipe) {
  const { quantizers, embeddings, compat, quantizeProjector } = Option.getOrElse(
    decodeDeciding(stage.config),
    () => ({}) as DecidingOptions
  )
  const towers = quantizers === undefined ? [] : towersOf(stage, quantizeProjector)
  return {
    linears: yield* planTowers(config, towers, quantizers ?? [], compat),
    embeddings: yield* planEmbeddings(config, embeddings ?? null, compat)
  }
})

/** The matrices that the stages of a recipe decide about, each once; of a stage whose rules do not fit the model none. */
export const decidedMatrices = Effect.fnUntraced(function* (config: ModelConfig, { stages }: Stage.PlaceInRecipe) {
  const plans = yield* Effect.forEach(stages, ({ stage }) =>
    Effect.map(Effect.option(planStage(config, stage)), Option.toArray)
  )
  const matrices = plans.flat().flatMap(({ linears, embeddings }) => [linears, embeddings].flatMap(chosenMatrices))
  return [...new Map(matrices.map((matrix) => [matrix.layer, matrix])).values()]
})

type DecidingOptions = typeof Deciding.Type

/** The part of a stage's configuration that names layers whose quantizers it chooses by measurement. */
const Measuring = Schema.Struct({
  candidates: Schema.NonEmptyArray(Schema.Array(RuleSpec)),
  compat: Schema.optionalKey(Schema.Literals(["careful", "reference"]))
})
const decodeMeasuring = Schema.decodeUnknownOption(Measuring)

/** The layers whose quantizers a stage chooses by measurement, all candidates naming the same; none of a stage that chooses none. */
export const measuredLayers = Effect.fnUntraced(function* (
  config: ModelConfig,
  { config: json, gives }: StageOfRecipe
) {
  const measuring = gives.some(({ name }) => name === Allocation.name) ? decodeMeasuring(json) : Option.none()
  if (Option.isNone(measuring)) return []
  const { candidates, compat } = measuring.value
  const { choices } = yield* planTowers(config, ["vision", "language"], candidates[0], compat)
  return [...choices.keys()]
})

/** The quantizer that a stage gives each layer, by the layer's name. */
const choicesOf = (config: ModelConfig, stage: StageOfRecipe) =>
  Effect.map(
    planStage(config, stage),
    ({ linears, embeddings }): ReadonlyMap<string, QuantizerChoice> =>
      new Map([...linears.choices, ...embeddings.choices])
  )

const written = (choice: QuantizerChoice): string => {
  const { use, with: options } = encodeChoice(choice)
  return `${use} ${JSON.stringify(options)}`
}

/** An obstacle where two stages give one layer different quantizers; the same text whichever of them asks. */
const between = (
  [first, ours]: readonly [string, ReadonlyMap<string, QuantizerChoice>],
  [second, theirs]: readonly [string, ReadonlyMap<string, QuantizerChoice>]
): readonly Forecast.Obstacle[] => {
  const different = [...ours].flatMap(([layer, choice]) => {
    const other = theirs.get(layer)
    return other === undefined || written(choice) === written(other) ? [] : [{ layer, choice, other }]
  })
  const [example] = different
  if (example === undefined) return []
  const { layer, choice, other } = example
  return [
    {
      issue: `${first} and ${second} disagree about the quantizer of ${different.length} layers, for example ${layer}: ${written(choice)} in ${first}, ${written(other)} in ${second}`,
      fix: "give both the same rules; define them once as a scheme of the recipe"
    }
  ]
}

/**
 * Obstacles where the stage of this place and another one decide differently about a layer. A stage whose rules do not fit the model
 * has an obstacle of its own, and counts here as one that decides nothing.
 */
export const disagreements = Effect.fnUntraced(function* (config: ModelConfig, { label, stages }: Stage.PlaceInRecipe) {
  const decided = yield* Effect.forEach(stages, (other) =>
    Effect.map(
      Effect.orElseSucceed(choicesOf(config, other.stage), () => new Map<string, QuantizerChoice>()),
      (choices) => ({ ...other, choices })
    )
  )
  return decided.flatMap((first, at) =>
    decided
      .slice(at + 1)
      .filter((second) => first.label === label || second.label === label)
      .flatMap((second) => between([first.place, first.choices], [second.place, second.choices]))
  )
})

/** Lines for a plan where a stage quantizes Linears of the tower that a stage before has quantized: what that one found is not used. */
export const quantizedAnew = Effect.fnUntraced(function* (
  config: ModelConfig,
  place: Stage.PlaceInRecipe,
  own: ReadonlyMap<string, QuantizerChoice>
) {
  const lines = yield* Effect.forEach(stagesBefore(place), ({ place: earlier, stage }) =>
    Effect.map(
      Effect.orElseSucceed(choicesOf(config, stage), () => new Map<string, QuantizerChoice>()),
      (choices) => {
        const again = [...choices.keys()].filter((layer) => towerOf(layer) === "vision" && own.has(layer))
        return again.length === 0
          ? []
          : [
              `quantizes ${again.length} Linears of the vision tower anew: what ${earlier} found for them is not used; rules with "tower": "language" keep it`
            ]
      }
    )
  )
  return lines.flat()
})
