/** Writes a deployed model in a format, and beside it what was done to which layer. */
import { createRequire } from "node:module"
import { join } from "node:path"
import { AtomicFile, makeDirectories, parameterOf } from "@speedq/formats"
import { encodeChoice } from "@speedq/quantizers"
import { parameterCount } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ExportNotWritten } from "../Errors.ts"
import type { DeployedModel } from "../model/deployedModel.ts"
import { descriptionName } from "./companions.ts"
import type { ExportChoice, ModelToExport } from "./Exporter.ts"

/** What was written. */
export const Exported = Schema.Struct({
  /** Relative to the run's directory, where a run wrote it. */
  directory: Schema.String,
  format: Schema.String,
  /** Whether everything loads with the bits that the run computes with. */
  exact: Schema.Boolean,
  /** Largest difference of a number that loads differently. */
  maxAbsErr: Schema.Number,
  /** Bits a parameter of the whole model. */
  bitsPerWeight: Schema.Number,
  /** Bytes of the weights. */
  bytes: Schema.Int,
  /** Layers that this format cannot hold as they are quantized, and that were written dequantized. */
  layersFallenBack: Schema.Array(Schema.String)
})
export type Exported = typeof Exported.Type

const { version }: { readonly version: string } = createRequire(import.meta.url)("../../package.json")

/** quantization.json: what was done to which layer, and by what. */
const describe = (
  recipe: Schema.Json,
  { packed }: DeployedModel,
  { directory: _directory, ...exported }: Exported
) => ({
  tool: "speedq",
  version,
  recipe,
  ...exported,
  layers: Object.fromEntries(
    [...packed].map(([layer, { choice, shape, bytes }]) => [
      parameterOf(layer),
      { ...encodeChoice(choice), bits: choice.quantizer.bitsPerWeight(choice.config), shape, bytes }
    ])
  )
})

export interface ExportRequest extends ModelToExport {
  /** For the description: the recipe that made the model, or a name where there is none. */
  readonly recipe: Schema.Json
}

/** Writes the model into its directory, which is made. Gives what was written, and the names of all files. Fails with ExportNotWritten. */
export const writeExport = Effect.fn("writeExport")(function* (
  { exporter, config }: ExportChoice,
  { recipe, ...model }: ExportRequest
) {
  const { directory, source, deployed } = model
  const failed = (cause: unknown) => new ExportNotWritten({ directory, cause })
  yield* Effect.tryPromise({ try: () => makeDirectories(directory), catch: failed })
  const { files, bytes, maxAbsErr, layersFallenBack } = yield* exporter.write(config, model)
  const exported: Exported = {
    directory,
    format: exporter.id,
    exact: maxAbsErr === 0,
    maxAbsErr,
    bitsPerWeight: (8 * bytes) / parameterCount(source.directory.config),
    bytes,
    layersFallenBack
  }
  const description = new TextEncoder().encode(`${JSON.stringify(describe(recipe, deployed, exported), null, 2)}\n`)
  yield* Effect.mapError(AtomicFile.writeWhole(join(directory, descriptionName), description), failed)
  return { exported, files: [...files, descriptionName] }
})
