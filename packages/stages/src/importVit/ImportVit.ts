/**
 * In place of stage 1: a vision tower that was quantized elsewhere. The reference hands it over as a state dict of dequantized
 * numbers (`quant_vit_path`). They are used as they are; a weight whose numbers lie exactly on the grid of its quantizer is packed,
 * which changes no bit. What this program packed itself is taken as it is.
 */
import type { VisionTower } from "@speedq/exports"
import { layerOf, option, parameterOf, requiredOption, writtenAs } from "@speedq/formats"
import { Compat, emit, Forecast, formatBytes, type Report, RunEvents, Stage } from "@speedq/pipeline"
import { OptionalRules, type QuantizerChoice } from "@speedq/quantizers"
import { type Parameters, sizeOf } from "@speedq/tensors"
import { linearLayers, type ModelConfig, towerOf } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { Allocation, QuantizedVision } from "../artefacts/artefacts.ts"
import { computing } from "../compute/computing.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { modelUnreadable } from "../Errors.ts"
import { Extensions } from "../extensions/Extensions.ts"
import { versionsOf } from "../extensions/versions.ts"
import { firstNames } from "../model/firstNames.ts"
import { packedLayers } from "../model/layerFact.ts"
import { weightFiles } from "../model/partWeights.ts"
import { type Choices, chosenMatrices, planTowers } from "../model/plannedLayers.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { owned } from "../model/stageMemory.ts"
import { disagreements } from "../planning/decidingStages.ts"
import { largestTensor } from "../planning/largestTensor.ts"
import { planModel } from "../planning/plannedModel.ts"
import { quantizedBytes, ruleLines } from "../planning/ruleLines.ts"
import type { ImportVitOptions } from "../registry/stageOptions.ts"
import { importTime } from "./importTime.ts"
import { type PlacedWeight, placeOnGrid } from "./placeOnGrid.ts"
import { formOf, readTower } from "./readTower.ts"

const ImportVitConfig = Schema.Struct({
  compat: Compat,
  weights: requiredOption(Schema.NonEmptyString, {
    description:
      "The quantized tower: a safetensors or torch file, which is not executed, or a directory with one. Dequantized numbers (the reference's `quant_vit_path`), a packed model, or a run's `quantizedVision.safetensors`."
  }),
  quantizers: option(OptionalRules, [], {
    description:
      "Rules that say on which quantizer's grid dequantized numbers lie; the first that matches decides. Weights that lie on it exactly are packed.",
    source: "none: dequantized numbers stay numbers"
  }),
  offGrid: option(Schema.Literals(["keep", "fail"]), "keep", {
    description:
      "What a weight does that a rule names and that is not exactly on the grid: `keep` uses its numbers, in 16 or 32 bits as they are stored, `fail` ends the stage.",
    source: "keep: the reference uses the numbers"
  })
})
type Config = typeof ImportVitConfig.Type

export const ImportVit = Stage.define({
  name: "import-vit",
  version: 1,
  config: writtenAs<ImportVitOptions>()(ImportVitConfig),
  uses: [Allocation],
  gives: [QuantizedVision],
  fingerprint: ({ weights }, recipe) => Effect.suspend(() => fingerprintOf(recipe, { files: filesOf(weights) })),
  versions: ({ quantizers }) => versionsOf({ quantizers }),
  forecast: Effect.fnUntraced(function* (config: Config, recipe, place) {
    const model = yield* planModel(recipe)
    const planned = yield* planTowers(model.config, ["vision"], config.quantizers, config.compat)
    const missing = yield* Forecast.missingFiles([config.weights], "give the file of the quantized vision tower")
    const tower = 4 * towerSize(model.config)
    const files = filesOf(config.weights)
    // What was packed is taken as it is.
    const placed = missing.length === 0 && files.every(holdsNumbers) ? chosenMatrices(planned) : []
    const named = placed.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0)
    const kept = tower - named + (placed.length > 0 ? quantizedBytes(planned) : 0)
    return Forecast.make({
      obstacles: [...model.obstacles, ...missing, ...(yield* disagreements(model.config, place))],
      memoryBytes: model.loadedBytes + 2 * tower,
      tensorBytes: model.weightBytes + 2 * tower,
      largest: largestTensor(model, { widened: chosenMatrices(planned) }),
      outputBytes: tower,
      time: importTime({ model, files, placed, outputBytes: kept, recipe, place }),
      lines: [...ruleLines(planned, place), "weights that do not lie on these grids exactly stay numbers"]
    })
  }),
  begin: Effect.fnUntraced(function* (
    config: Config,
    { allocation }: { readonly allocation?: Choices },
    { recipe }: Stage.StageContext
  ) {
    const model = yield* openRecipeModel(recipe)
    const { config: modelConfig } = model.directory
    const { quantizers, compat } = config
    const { choices } = yield* planTowers(modelConfig, ["vision"], quantizers, compat, allocation)
    const known = (yield* Extensions).quantizers
    const unreadable = modelUnreadable(config.weights)
    const work = Effect.gen(function* () {
      const given = yield* Effect.mapError(readTower(modelConfig, config.weights, known), unreadable)
      const lacking = [...linearLayers(modelConfig).keys()].filter(
        (layer) =>
          towerOf(layer) === "vision" && !given.packed.has(layer) && given.values[parameterOf(layer)] === undefined
      )
      if (lacking.length > 0) {
        return yield* unreadable(
          `it lacks the weights of ${lacking.length} Linears of the vision tower: ${firstNames(lacking)}`
        )
      }
      const placed = yield* placeAll(given, choices, model.weights)
      const off = placed.filter(({ packed }) => packed === undefined)
      if (config.offGrid === "fail" && off.length > 0) return yield* unreadable(offGridReason(off))
      const onGrid = placed.flatMap(({ layer, packed }) => (packed ? [[layer, packed] as const] : []))
      const tower: VisionTower = {
        packed: new Map([...given.packed, ...onGrid]),
        values: Object.fromEntries(
          Object.entries(given.values).filter(([name]) => !onGrid.some(([layer]) => layer === layerOf(name)))
        )
      }
      if (off.length > 0) yield* emit(RunEvents.Warning, { message: offGridReason(off) })
      return { output: { quantizedVision: tower }, report: [towerTable(tower, placed), ...packedLayers(tower.packed)] }
    })
    // What is read and packed lives as long as the stage.
    const scope = yield* Effect.scope
    return Stage.once(Effect.provideService(work, Scope.Scope, scope))
  })
})

/** A path that cannot be read is an obstacle of the forecast, and an error of the stage. */
const filesOf = (path: string): readonly string[] => {
  try {
    return weightFiles(path)
  } catch {
    return [path]
  }
}

/** Whether a file has dequantized numbers; one that cannot be looked at is met again when it is read. */
const holdsNumbers = (file: string): boolean => {
  try {
    return formOf(file) === "numbers"
  } catch {
    return false
  }
}

const towerSize = (config: ModelConfig): number =>
  [...linearLayers(config)].reduce(
    (sum, [layer, shape]) => (towerOf(layer) === "vision" ? sum + sizeOf(shape) : sum),
    0
  )

/** Tries every dequantized weight that a rule names on its grid. */
const placeAll = Effect.fnUntraced(function* (
  { values }: VisionTower,
  choices: ReadonlyMap<string, QuantizerChoice>,
  original: Parameters
) {
  const placed: PlacedWeight[] = []
  for (const [layer, choice] of choices) {
    const name = parameterOf(layer)
    const weight = values[name]
    if (weight === undefined) continue
    placed.push(
      yield* owned(
        computing(() => placeOnGrid(layer, choice, weight, original[name]!)),
        ({ packed }) => packed?.release()
      )
    )
  }
  return placed
})

const offGridReason = (off: readonly PlacedWeight[]): string => {
  const worst = off.reduce((largest, each) => (each.difference > largest.difference ? each : largest))
  return `${off.length} weights do not lie on the grids that the rules name, by ${worst.difference} at most (${worst.layer}): they are numbers, not codes; name the quantizer that made them, or leave the rule out`
}

const towerTable = ({ packed, values }: VisionTower, placed: readonly PlacedWeight[]): Report.Section => {
  const differences = new Map(placed.map(({ layer, difference }) => [layer, difference]))
  const linears = Object.entries(values).filter(([name, { shape }]) => layerOf(name) !== name && shape.length === 2)
  const bytes = [...packed.values()].reduce((sum, weight) => sum + weight.bytes, 0)
  return {
    _tag: "Table",
    title: `Imported vision tower: ${packed.size} weights packed, ${formatBytes(bytes)}; ${linears.length} kept as numbers`,
    columns: ["layer", "held as", "largest difference from the grid"],
    rows: [
      ...[...packed].map(([layer, { choice }]) => [
        layer,
        `codes (${choice.quantizer.id})`,
        differences.get(layer) ?? 0
      ]),
      ...linears.map(([name, { dtype }]) => [layerOf(name), dtype, differences.get(layerOf(name)) ?? "no rule"])
    ]
  }
}
