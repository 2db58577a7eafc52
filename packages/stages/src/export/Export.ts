/** Writes the quantized model in a format: one of ours, or one that the run's extensions bring. */
import { join } from "node:path"
import {
  decodeExport,
  deployModel,
  type ExportChoice,
  Exported,
  type ExportNotWritten,
  exporters,
  type LanguageModel,
  type ModelKind,
  type QuantizedLayer,
  quantizedLayers,
  Rest,
  type VisionTower,
  writeExport
} from "@speedq/exports"
import { nameOption, optionalOption, writtenAs } from "@speedq/formats"
import {
  Artefact,
  Codec,
  Forecast,
  formatBytes,
  type Report,
  type RunRecord,
  readRunRecord,
  Stage,
  storageFailed
} from "@speedq/pipeline"
import { type Parameters, sizeOf } from "@speedq/tensors"
import { linearLayers, modelTensors, parameterCount } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { QuantizedLanguage, QuantizedVision, TrainedProjector } from "../artefacts/artefacts.ts"
import { computing } from "../compute/computing.ts"
import { fingerprintOf } from "../data/fingerprint.ts"
import { deciding } from "../extensions/deciding.ts"
import { Extensions } from "../extensions/Extensions.ts"
import { versionsOf } from "../extensions/versions.ts"
import { packedLayers } from "../model/layerFact.ts"
import { openRecipeModel } from "../model/SourceModel.ts"
import { owned } from "../model/stageMemory.ts"
import { decidedMatrices } from "../planning/decidingStages.ts"
import { largestTensor } from "../planning/largestTensor.ts"
import { planModel } from "../planning/plannedModel.ts"
import type { ExportOptions } from "../registry/stageOptions.ts"
import { exportTime } from "./exportTime.ts"

const formats = exporters.map(({ id }) => id)

const ExportConfig = Schema.Struct({
  format: nameOption(formats, {
    description: `Format to write: ${formats.map((format) => `\`${format}\``).join(", ")}, or one of an extension.`
  }),
  with: optionalOption(Schema.JsonObject, {
    description: 'Options of the format, for example `{ "dtype": "f32" }` of `fake-quant`.'
  }),
  rest: Rest
})
type ExportConfig = typeof ExportConfig.Type

export const ExportedModel = Artefact.make("exported", "a model directory that was written", Codec.json(Exported))

/** Artefacts that make the model; parts that no stage changed stay the original. */
interface ExportInput {
  readonly quantizedLanguage: LanguageModel
  readonly quantizedVision?: VisionTower
  readonly projector?: Parameters
}

/** The exporter that a recipe means. Fails with RulesInvalid where there is none, or its options are wrong. */
const chosen = Effect.fnUntraced(function* (config: ExportConfig) {
  const { exporters } = yield* Extensions
  return yield* deciding(() => decodeExport(config, exporters))
})

/** Below the run's directory; formats do not overwrite each other. */
const directoryOf = ({ exporter, config }: ExportChoice): string => join("model", exporter.directoryName(config))

/** Obstacles where the format cannot have the model. */
const refusals = ({ exporter, config }: ExportChoice, model: ModelKind): readonly Forecast.Obstacle[] => {
  const refusal = exporter.refusal?.(config, model)
  return refusal === undefined ? [] : [{ issue: `${exporter.id}: ${refusal.reason}`, fix: refusal.fix }]
}

/** How many layers keep their codes, where some do, and which do not. */
const holdingLines = ({ exporter, config }: ExportChoice, layers: readonly QuantizedLayer[]): readonly string[] => {
  const holdings = exporter.holds?.(config, layers) ?? []
  const written = layers.filter((_, at) => holdings[at]?.as === "numbers").map(({ layer }) => layer)
  if (written.length === 0 || written.length === layers.length) return []
  const names = written.length > 3 ? [...written.slice(0, 3), "..."] : written
  return [
    `keeps the codes of ${layers.length - written.length} layers; as numbers: ${written.length} (${names.join(", ")})`
  ]
}

const asStorageFailed = (error: ExportNotWritten) => {
  const { directory, cause, fix, reason } = error
  return storageFailed("write the exported model", directory, fix === undefined ? cause : reason)
}

export const Export = Stage.define({
  name: "export",
  version: 3,
  config: writtenAs<ExportOptions>()(ExportConfig),
  needs: [QuantizedLanguage],
  uses: [QuantizedVision, TrainedProjector],
  gives: [ExportedModel],
  fingerprint: (_, recipe) => fingerprintOf(recipe, {}),
  versions: ({ format }) => versionsOf({ exporters: [format] }),
  forecast: Effect.fnUntraced(function* (config: ExportConfig, recipe, place) {
    const choice = yield* chosen(config)
    const model = yield* planModel(recipe)
    const facts = { parameters: parameterCount(model.config), checkpointBytes: model.weightBytes }
    const written = choice.exporter.bytes(choice.config, facts)
    const largest = Math.max(...[...modelTensors(model.config).values()].map(sizeOf))
    const layers = quantizedLayers(yield* decidedMatrices(model.config, place), model.config)
    return Forecast.make({
      obstacles: [...model.obstacles, ...refusals(choice, { config: model.config, directory: recipe.model, layers })],
      // The source, the trained matrices and their codes; of the largest one f32, quantized and as it is written.
      memoryBytes: 2 * model.weightBytes + 24 * largest,
      tensorBytes: 2 * model.weightBytes + 24 * largest,
      largest: largestTensor(model, { widened: [...linearLayers(model.config).keys()].map((layer) => ({ layer })) }),
      outputBytes: written,
      time: exportTime({ choice, model, recipe, place, most: written }),
      lines: [`writes ${directoryOf(choice)}, at most ${formatBytes(written)}`, ...holdingLines(choice, layers)]
    })
  }),
  begin: Effect.fnUntraced(function* (
    config: ExportConfig,
    input: ExportInput,
    { recipe, runDirectory }: Stage.StageContext
  ) {
    const choice = yield* chosen(config)
    const source = yield* openRecipeModel(recipe)
    const relative = directoryOf(choice)
    const directory = join(runDirectory, relative)
    const work = Effect.gen(function* () {
      const deployed = yield* owned(
        computing(() => deployModel(source, input, { rest: config.rest })),
        ({ release }) => release()
      )
      const record = yield* Effect.orElseSucceed(readRunRecord(runDirectory), () => Option.none<RunRecord>())
      const made = Option.match(record, { onNone: () => recipe.name, onSome: ({ recipe: whole }) => whole })
      const { exported, files } = yield* Effect.mapError(
        writeExport(choice, { source, deployed, directory, recipe: made }),
        asStorageFailed
      )
      return {
        output: { exported: { ...exported, directory: relative } },
        files: files.map((written) => ({ ...written, file: join(directory, written.file) })),
        report: [exportTable(exported), ...packedLayers(deployed.packed)]
      }
    }).pipe(Effect.scoped)
    return Stage.once(work)
  })
})

const exportTable = ({
  format,
  bytes,
  directoryBytes,
  bitsPerWeight,
  exact,
  maxAbsErr,
  relErr,
  layersFallenBack,
  checkedBy
}: Exported): Report.Section => ({
  _tag: "Table",
  title: `Export (${format})`,
  columns: [
    "bytes",
    "on disk",
    "bits / parameter",
    "exact",
    "largest difference",
    "relative",
    "layers fallen back",
    "checked by"
  ],
  rows: [
    [
      bytes,
      directoryBytes,
      bitsPerWeight.toFixed(3),
      exact ? "yes" : "no",
      maxAbsErr,
      relErr,
      layersFallenBack.length,
      checkedBy.join(", ")
    ]
  ]
})
