/** Writes the quantized model as a directory that loads elsewhere (fake-quant) or as the packed container. */
import { join } from "node:path"
import type { PackedWeights } from "@speedq/quantizers"
import { type Parameters, sizeOf } from "@speedq/tensors"
import { modelTensors, parameterCount } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Artefact from "../../Artefact.ts"
import { type LanguageModel, QuantizedLanguage, QuantizedVision, TrainedProjector } from "../../artefacts.ts"
import * as Codec from "../../Codec.ts"
import { computing } from "../../compute/computing.ts"
import { make } from "../../Forecast.ts"
import { formatBytes } from "../../format.ts"
import { deployModel } from "../../model/deployedModel.ts"
import { openSourceModel } from "../../model/SourceModel.ts"
import { owned } from "../../model/stageMemory.ts"
import { planModel } from "../../planning/plannedModel.ts"
import type { Section } from "../../Report.ts"
import { type RunRecord, readRunRecord } from "../../RunDirectory.ts"
import * as Stage from "../../Stage.ts"
import { fingerprintOf } from "../fingerprint.ts"
import { companionsOf, descriptionName, ExportConfig, Exported, tensorsName, writeModel } from "./writeModel.ts"

export const ExportedModel = Artefact.make("exported", "a model directory that was written", Codec.json(Exported))

/** Artefacts that make the model; parts that no stage changed stay the original. */
interface ExportInput {
  readonly quantizedLanguage: LanguageModel
  readonly quantizedVision?: PackedWeights
  readonly projector?: Parameters
}

/** Below the run's directory; formats do not overwrite each other. */
const directoryOf = ({ format, dtype }: Pick<ExportConfig, "format" | "dtype">): string =>
  join("model", format === "fake-quant" && dtype === "f32" ? "fake-quant-f32" : format)

export const Export = Stage.define({
  name: "export",
  version: 1,
  config: ExportConfig,
  needs: [QuantizedLanguage],
  uses: [QuantizedVision, TrainedProjector],
  gives: [ExportedModel],
  fingerprint: (_, recipe) => fingerprintOf(recipe, {}),
  forecast: Effect.fnUntraced(function* ({ format, dtype }: ExportConfig, recipe) {
    const model = yield* planModel(recipe)
    const parameters = parameterCount(model.config)
    // What is packed is not decided here: at most what the source takes.
    const written = format === "packed" ? model.weightBytes : (dtype === "bf16" ? 2 : 4) * parameters
    const largest = Math.max(...[...modelTensors(model.config).values()].map(sizeOf))
    return make({
      obstacles: model.obstacles,
      // The source, the trained matrices and their codes; of the largest one f32, clamped, quantized and as it is written.
      memoryBytes: 2 * model.weightBytes + 24 * largest,
      outputBytes: written,
      lines: [`writes ${directoryOf({ format, dtype })}, at most ${formatBytes(written)}`]
    })
  }),
  begin: Effect.fnUntraced(function* (
    config: ExportConfig,
    input: ExportInput,
    { recipe, runDirectory }: Stage.StageContext
  ) {
    const source = yield* openSourceModel(recipe.model)
    const relative = directoryOf(config)
    const directory = join(runDirectory, relative)
    const work = Effect.gen(function* () {
      const deployed = yield* owned(
        computing(() => deployModel(source, input, { rest: config.rest })),
        ({ release }) => release()
      )
      const record = yield* Effect.orElseSucceed(readRunRecord(runDirectory), () => Option.none<RunRecord>())
      const made = Option.match(record, { onNone: () => recipe.name, onSome: ({ recipe: whole }) => whole })
      const exported = yield* writeModel(source, deployed, { ...config, directory, recipe: made })
      return {
        output: { exported: { ...exported, directory: relative } },
        files: [tensorsName, descriptionName, ...companionsOf(source.directory.directory)].map((name) =>
          join(directory, name)
        ),
        report: [exportTable(exported), ...layerSections(deployed.packed)]
      }
    }).pipe(Effect.scoped)
    return Stage.once(work)
  })
})

const exportTable = ({ format, bytes, bitsPerWeight, exact, maxAbsErr, layersFallenBack }: Exported): Section => ({
  _tag: "Table",
  title: `Export (${format})`,
  columns: ["bytes", "bits / parameter", "exact", "largest difference", "layers fallen back"],
  rows: [[bytes, bitsPerWeight.toFixed(3), exact ? "yes" : "no", maxAbsErr, layersFallenBack.length]]
})

/** What every quantized weight costs. */
const layerSections = (packed: PackedWeights): readonly Section[] => {
  const layers = [...packed].map(([name, { choice, shape, bytes }]) => ({
    layer: name.replace(/\.weight$/, ""),
    use: choice.quantizer.id,
    bits: choice.quantizer.bitsPerWeight(choice.config),
    parameters: sizeOf(shape),
    bytes
  }))
  const bytes = layers.reduce((sum, layer) => sum + layer.bytes, 0)
  return [
    {
      _tag: "BarChart",
      title: "Bits per layer",
      yLabel: "bits a weight, scales and zero points included",
      series: ["bits"],
      groups: layers.map(({ layer, bits }) => ({ label: layer, values: [bits] }))
    },
    {
      _tag: "Table",
      title: `Quantized layers: ${layers.length}, ${formatBytes(bytes)} together`,
      columns: ["layer", "quantizer", "bits", "parameters", "size"],
      rows: layers.map(({ layer, use, bits, parameters, bytes: size }) => [
        layer,
        use,
        bits,
        parameters,
        formatBytes(size)
      ])
    }
  ]
}
