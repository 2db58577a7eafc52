/** Writes a deployed model in a format, and beside it what was done to which layer. */
import { createRequire } from "node:module"
import { join } from "node:path"
import { AtomicFile, parameterOf, publicJson, Staging } from "@speedq/formats"
import { encodeChoice } from "@speedq/quantizers"
import { parameterCount } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ExportNotWritten } from "../Errors.ts"
import type { DeployedModel } from "../model/deployedModel.ts"
import { descriptionName } from "./companions.ts"
import type { ExportChoice, ModelToExport } from "./Exporter.ts"
import { packedLayersOf } from "./Holding.ts"
import { describeFiles } from "./verifyExport.ts"

/** What was written, and how far it is from what the run computes with: the certificate of an export. */
export const Exported = Schema.Struct({
  /** Relative to the run's directory, where a run wrote it. */
  directory: Schema.String,
  format: Schema.String,
  /** Whether everything loads with the bits that the run computes with. */
  exact: Schema.Boolean,
  /** Largest difference of a number that loads differently. */
  maxAbsErr: Schema.Number,
  /** Largest relative error of a tensor, |w' - w| / |w| in the 2-norm. */
  relErr: Schema.Number,
  /** Bits a parameter of the whole model. */
  bitsPerWeight: Schema.Number,
  /** Bytes of the weights themselves, codes and scales included: what a plan and an evaluation count. */
  bytes: Schema.Int,
  /** Bytes of all files: weights with their names and padding, tokenizer, configuration. */
  directoryBytes: Schema.Int,
  /** Layers that this format cannot hold as they are quantized, and that were written dequantized. */
  layersFallenBack: Schema.Array(Schema.String),
  /** What has loaded the format and computed the same. */
  checkedBy: Schema.Array(Schema.String)
})
export type Exported = typeof Exported.Type

const { version }: { readonly version: string } = createRequire(import.meta.url)("../../package.json")

/** quantization.json: what was done to which layer, by what, and the digest of every other file. */
const describe = (
  recipe: Schema.Json,
  { packed }: DeployedModel,
  { directory: _directory, ...exported }: Exported,
  files: readonly AtomicFile.Written[]
) => ({
  tool: "speedq",
  version,
  recipe: publicJson(recipe),
  ...exported,
  files: describeFiles(files),
  layers: Object.fromEntries(
    [...packed].map(([layer, { choice, shape, bytes }]) => [
      parameterOf(layer),
      { ...encodeChoice(choice), bits: choice.quantizer.bitsPerWeight(choice.config), shape, bytes }
    ])
  )
})

/** A model, and where it comes from. */
interface Exportable extends Omit<ModelToExport, "directory"> {
  /** For the description, which has no absolute paths of it: the recipe that made the model, or a name where there is none. */
  readonly recipe: Schema.Json
}

export interface ExportRequest extends Exportable {
  readonly directory: string
}

interface Destination {
  readonly choice: ExportChoice
  readonly directory: string
}

/** What was written, and all files, named from the directory. */
interface WrittenExport {
  readonly exported: Exported
  readonly files: readonly AtomicFile.Written[]
}

/** Writes all files of one format beside their places; they are in them when `publish` has run. */
const stage = Effect.fnUntraced(
  function* ({ choice: { exporter, config }, directory }: Destination, { recipe, source, deployed }: Exportable) {
    const { config: kind, directory: place } = source.directory
    const layers = packedLayersOf(deployed.packed, kind)
    const refusal = exporter.refusal?.(config, { config: kind, directory: place, layers })
    if (refusal !== undefined)
      return yield* new ExportNotWritten({ directory, cause: refusal.reason, fix: refusal.fix })
    const staging = yield* Staging.make(directory)
    const written = yield* exporter.write(config, { source, deployed, directory: staging.directory })
    const { files, bytes, maxAbsErr, relErr, layersFallenBack } = written
    const exported: Exported = {
      directory,
      format: exporter.id,
      exact: maxAbsErr === 0,
      maxAbsErr,
      relErr,
      bitsPerWeight: (8 * bytes) / parameterCount(kind),
      bytes,
      directoryBytes: files.reduce((sum, file) => sum + file.bytes, 0),
      layersFallenBack,
      checkedBy: exporter.checkedBy
    }
    const text = `${JSON.stringify(describe(recipe, deployed, exported, files), null, 2)}\n`
    const description = yield* AtomicFile.writeWhole(
      join(staging.directory, descriptionName),
      new TextEncoder().encode(text)
    )
    const all = [...files, { ...description, file: descriptionName }]
    return { staging, directory, written: { exported, files: all } satisfies WrittenExport }
  },
  (self, { directory }) => Effect.mapError(self, notWritten(directory))
)

const notWritten = (directory: string) => (error: unknown) => {
  if (!(error instanceof ExportNotWritten)) return new ExportNotWritten({ directory, cause: error })
  // The format knows no more than where its files are staged.
  const { cause, fix } = error
  return new ExportNotWritten({ directory, cause, ...(fix === undefined ? {} : { fix }) })
}

/**
 * Writes a model in several formats, each into its directory, which is made: all files together, quantization.json last, when every
 * format is written. A format that fails, or a full disk, leaves nothing behind; what a killed export left there is removed. Gives what
 * was written in the order of the formats. Fails with ExportNotWritten.
 */
export const writeExports = Effect.fn("writeExports")(function* (
  destinations: readonly Destination[],
  model: Exportable
) {
  const staged = yield* Effect.forEach(destinations, (destination) => stage(destination, model))
  yield* Effect.forEach(staged, ({ staging, directory, written }) =>
    Effect.mapError(staging.publish(written.files), notWritten(directory))
  )
  return staged.map(({ written }) => written)
}, Effect.scoped)

/** Writes a model in one format, as `writeExports` does. */
export const writeExport = (choice: ExportChoice, { directory, ...model }: ExportRequest) =>
  Effect.map(writeExports([{ choice, directory }], model), ([written]) => written!)
