/**
 * The language model rounded to nearest, without training: clipped first where a search before it found ranges. It takes the place of
 * stage 3 in post-training recipes, and is the baseline that the paper calls RTN (docs/method.md, "Rounding to nearest").
 */
import { releaseParameters } from "@speedq/exports"
import { parameterOf, requiredOption, writtenAs } from "@speedq/formats"
import { Compat, Forecast, Stage } from "@speedq/pipeline"
import { clippedWeight, type QuantizerChoice, RuleList } from "@speedq/quantizers"
import { noGrad, type Parameters, scope, sizeOf } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { Allocation, ClippingRanges, QuantizedLanguage } from "../artefacts/artefacts.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { versionsOf } from "../extensions/versions.ts"
import { chosenLayers } from "../model/layerFact.ts"
import { type Choices, chosenMatrices, EmbeddingConfig, planEmbeddings, planTowers } from "../model/plannedLayers.ts"
import { requireQuantizable } from "../model/requireQuantizable.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { owned } from "../model/stageMemory.ts"
import { disagreements } from "../planning/decidingStages.ts"
import { largestTensor } from "../planning/largestTensor.ts"
import { planModel } from "../planning/plannedModel.ts"
import { ruleLines } from "../planning/ruleLines.ts"
import type { RoundLanguageOptions } from "../registry/stageOptions.ts"
import { languageTime } from "./languageTime.ts"

const RoundLanguageConfig = Schema.Struct({
  compat: Compat,
  quantizers: requiredOption(RuleList, {
    description: "Rules that give the decoder's Linears their quantizers; the first that matches decides."
  }),
  embeddings: EmbeddingConfig
})
type RoundLanguageConfig = typeof RoundLanguageConfig.Type

interface RoundLanguageInput {
  readonly allocation?: Choices
  readonly clipping?: Parameters
}

/** The weights that the ranges change, clipped; all others are rounded as the checkpoint has them. */
const clippedWeights = (
  weights: Parameters,
  choices: ReadonlyMap<string, QuantizerChoice>,
  ranges: Parameters | undefined
): Parameters =>
  noGrad(() =>
    Object.fromEntries(
      [...choices.keys()].flatMap((layer) => {
        const name = parameterOf(layer)
        const clipped = scope(() => clippedWeight(layer, weights[name]!, ranges))
        return clipped === undefined ? [] : [[name, clipped] as const]
      })
    )
  )

export const RoundLanguage = Stage.define({
  name: "round-language",
  version: 1,
  config: writtenAs<RoundLanguageOptions>()(RoundLanguageConfig),
  uses: [Allocation, ClippingRanges],
  gives: [QuantizedLanguage],
  fingerprint: (_, recipe) => fingerprintOf(recipe, {}),
  versions: ({ quantizers, embeddings }) => versionsOf({ quantizers: [...quantizers, embeddings] }),
  forecast: Effect.fnUntraced(function* ({ quantizers, embeddings, compat }: RoundLanguageConfig, recipe, place) {
    const model = yield* planModel(recipe)
    const linears = yield* planTowers(model.config, ["language"], quantizers, compat)
    const embedded = yield* planEmbeddings(model.config, embeddings, compat)
    // At most: ranges of all layers, so that all are clipped, in f32.
    const clipped = linears.plan.layers.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0)
    return Forecast.make({
      obstacles: [...model.obstacles, ...(yield* disagreements(model.config, place))],
      memoryBytes: model.loadedBytes + clipped,
      tensorBytes: model.weightBytes + clipped,
      largest: largestTensor(model, { widened: chosenMatrices(linears) }),
      outputBytes: clipped,
      time: languageTime({
        ...{ model, recipe, place },
        linears: chosenMatrices(linears),
        embeddings: chosenMatrices(embedded)
      }),
      lines: [...ruleLines(linears, place), ...ruleLines(embedded)]
    })
  }),
  begin: Effect.fnUntraced(function* (
    { quantizers, embeddings, compat }: RoundLanguageConfig,
    { allocation, clipping }: RoundLanguageInput,
    { recipe }: Stage.StageContext
  ) {
    const { weights, directory } = yield* openRecipeModel(recipe)
    const linears = yield* planTowers(directory.config, ["language"], quantizers, compat, allocation)
    const embedded = yield* planEmbeddings(directory.config, embeddings, compat)
    const choices = new Map([...linears.choices, ...embedded.choices])
    yield* requireQuantizable(weights, choices, clipping)
    const parameters = yield* owned(
      Effect.sync(() => clippedWeights(weights, linears.choices, clipping)),
      releaseParameters
    )
    return Stage.once(
      Effect.succeed({ output: { quantizedLanguage: { parameters, choices } }, report: chosenLayers(choices) })
    )
  })
})
