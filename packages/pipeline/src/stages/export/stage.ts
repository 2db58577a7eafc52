/** Writes the quantized model as a directory that loads elsewhere (fake-quant) or as the packed container. */
import { join } from "node:path"
import type { PackedWeights } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Artefact from "../../Artefact.ts"
import { type LanguageModel, QuantizedLanguage, QuantizedVision, TrainedProjector } from "../../artefacts.ts"
import * as Codec from "../../Codec.ts"
import { computing } from "../../compute/computing.ts"
import { deployModel } from "../../model/deployedModel.ts"
import { openSourceModel } from "../../model/SourceModel.ts"
import { owned } from "../../model/stageMemory.ts"
import type { Section } from "../../Report.ts"
import * as Stage from "../../Stage.ts"
import { fingerprintOf } from "../fingerprint.ts"
import { descriptionName, ExportConfig, Exported, tensorsName, writeModel } from "./writeModel.ts"

export const ExportedModel = Artefact.make("exported", "a model directory that was written", Codec.json(Exported))

/** Artefacts that make the model; parts that no stage changed stay the original. */
interface ExportInput {
  readonly quantizedLanguage: LanguageModel
  readonly quantizedVision?: PackedWeights
  readonly projector?: Parameters
}

/** Below the run's directory; formats do not overwrite each other. */
const directoryOf = ({ format, dtype }: ExportConfig): string =>
  join("model", format === "fake-quant" && dtype === "f32" ? "fake-quant-f32" : format)

export const Export = Stage.define({
  name: "export",
  version: 1,
  config: ExportConfig,
  needs: [QuantizedLanguage],
  uses: [QuantizedVision, TrainedProjector],
  gives: [ExportedModel],
  fingerprint: (_, recipe) => fingerprintOf(recipe, {}),
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
      const exported = yield* writeModel(source, deployed, { ...config, directory, recipe: recipe.name })
      return {
        output: { exported: { ...exported, directory: relative } },
        files: [join(directory, tensorsName), join(directory, descriptionName)],
        report: [exportTable(exported)]
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
