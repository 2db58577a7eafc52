/**
 * GPTQ (arXiv:2210.17323) as a baseline: the weights of vision tower, projector and decoder that rules name, rounded column after column so
 * that the columns to come make up for what rounding changed, on calibration records with their images (docs/method.md, "GPTQ").
 */
import { option, optionalOption, requiredOption, writtenAs } from "@speedq/formats"
import { Positive, Stage } from "@speedq/pipeline"
import { gptqDefaults, hasOwnGroups, RuleList } from "@speedq/quantizers"
import { type ModelConfig, type Tower, towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { QuantizedLanguage, QuantizedVision } from "../artefacts/artefacts.ts"
import { type CalibratedInput, calibratedStage } from "../calibration/calibratedStage.ts"
import { RulesInvalid } from "../Errors.ts"
import { blocksToQuantize } from "../model/modelBlocks.ts"
import { type Choices, planTowers, quantizing } from "../model/plannedLayers.ts"
import { requireGrids } from "../model/requireGrids.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { planModel } from "../planning/plannedModel.ts"
import { forecastPosttraining } from "../posttraining/forecastPosttraining.ts"
import { PosttrainingConfig } from "../posttraining/PosttrainingConfig.ts"
import { posttrainingProgram } from "../posttraining/posttrainingProgram.ts"
import type { GptqOptions } from "../registry/stageOptions.ts"
import { gptqBytes, gptqSeconds } from "./forecastGptq.ts"
import { quantizeBlock } from "./quantizeBlock.ts"

const repository = "its published code, IST-DASLab/gptq"

const GptqConfig = Schema.Struct({
  ...PosttrainingConfig.fields,
  quantizers: requiredOption(RuleList, {
    description:
      "Rules that give the Linears of vision tower and decoder their quantizers; the first that matches decides. Name a `tower` to leave the other as it is. GPTQ works with `bilevel` and `uniform`."
  }),
  quantizeProjector: optionalOption(Schema.Boolean, {
    description: "Lets the rules decide about the projector's Linears too.",
    source: "off, as in training"
  }),
  damping: option(Positive, gptqDefaults.damping, {
    description: "What is added to the diagonal of a Hessian, as a share of its mean, so that it can be inverted.",
    unit: "share of the mean diagonal",
    source: "GPTQ (arXiv:2210.17323)"
  }),
  actOrder: option(Schema.Boolean, gptqDefaults.actOrder, {
    description: "Rounds the columns with the largest inputs first, while there are most others to make up for them.",
    source: `on: better at 2 and 3 bits; an option of ${repository}`
  }),
  staticGroups: option(Schema.Boolean, gptqDefaults.staticGroups, {
    description:
      "Finds the grids of all groups on the original weight. Off: each on the weight as it is when its turn comes, which works with `uniform` alone and without `actOrder`.",
    source: `on: what every quantizer and \`actOrder\` need; an option of ${repository}`
  })
}).check(
  Schema.makeFilter(
    ({ actOrder, staticGroups }) =>
      staticGroups ||
      !actOrder ||
      "actOrder takes columns of all groups in turn: it needs staticGroups, or set it to false"
  )
)
type GptqConfig = typeof GptqConfig.Type

/** What the rules of the stage decide; fails with RulesInvalid where GPTQ cannot choose codes of a quantizer. */
const planGptq = Effect.fnUntraced(function* (
  model: ModelConfig,
  { quantizers, quantizeProjector, compat, staticGroups }: GptqConfig,
  allocation?: Choices
) {
  const towers: readonly Tower[] = quantizeProjector ? ["vision", "projector", "language"] : ["vision", "language"]
  const planned = yield* planTowers(model, towers, quantizers, compat, allocation)
  yield* requireGrids("GPTQ", planned)
  const shared = [...quantizing(planned.choices)].filter(([, choice]) => !staticGroups && !hasOwnGroups(choice))
  if (shared.length > 0) {
    const named = shared.map(([layer, { quantizer }]) => `${layer} (${quantizer.id})`).join(", ")
    const reason = `groups are found by themselves, without staticGroups, only with uniform; turn staticGroups on for ${named}`
    return yield* new RulesInvalid({ reason })
  }
  return planned
})

const partsOf = <T>(layers: ReadonlyMap<string, T>, isVision: boolean): ReadonlyMap<string, T> =>
  new Map([...layers].filter(([layer]) => (towerOf(layer) === "vision") === isVision))

export const Gptq = Stage.define({
  ...calibratedStage,
  name: "gptq",
  version: 1,
  config: writtenAs<GptqOptions>()(GptqConfig),
  gives: [QuantizedVision, QuantizedLanguage],
  forecast: Effect.fnUntraced(function* (config: GptqConfig, recipe, place) {
    const model = yield* planModel(recipe)
    const linears = yield* planGptq(model.config, config)
    const blocks = blocksToQuantize(model.config, linears.choices)
    return yield* forecastPosttraining({
      ...{ config, recipe, place, model, linears, blocks },
      methodBytes: gptqBytes(model, linears, blocks),
      changedBytes: 0,
      work: gptqSeconds({ model, linears, blocks })
    })
  }),
  begin: Effect.fnUntraced(function* (config: GptqConfig, input: CalibratedInput, context: Stage.StageContext) {
    const model = yield* openRecipeModel(context.recipe)
    const linears = yield* planGptq(model.directory.config, config, input.allocation)
    return yield* posttrainingProgram({
      ...{ config, input, context, model, linears },
      method: {
        name: "GPTQ",
        through: "quantized",
        quantize: (open) => quantizeBlock(open, config),
        output: ({ own, kept }, choices) => ({
          quantizedVision: {
            packed: new Map([...kept, ...partsOf(own, true)]),
            values: input.quantizedVision?.values ?? {}
          },
          quantizedLanguage: { parameters: {}, choices, packed: partsOf(own, false) }
        })
      }
    })
  })
})
