/** Dequantized weights in one layout, whatever the layout of the checkpoint that the run started from. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { AtomicFile, parseJson, readText } from "@speedq/formats"
import { type Layout, type ModelDirectory, modelTensors, readLayout, storedNames } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { ExportNotWritten } from "../Errors.ts"
import { copyCompanions } from "../exporter/companions.ts"
import type { Exporter, ModelKind, ModelToExport, Refusal } from "../exporter/Exporter.ts"
import { numbers } from "../exporter/Holding.ts"
import { writeTensors } from "../exporter/writeTensors.ts"
import { FakeQuantConfig, fakeQuantExporter } from "../fakeQuant/fakeQuant.ts"
import { fakeQuantEntries } from "../fakeQuant/fakeQuantEntries.ts"
import type { Rest } from "../model/deployedModel.ts"
import type { Json, LayoutFiles } from "./LayoutFiles.ts"

interface LayoutDefinition {
  readonly id: string
  readonly version: number
  readonly description: string
  readonly checkedBy: readonly string[]
  readonly layout: Layout
  /** The files that it makes from what is known of the model, for weights that are read as `dtype`. */
  readonly files: (model: ModelDirectory, dtype: Rest, tokenizerConfig: Json) => LayoutFiles
  /** Why the layout cannot have the model; undefined where it can. */
  readonly refusal?: (model: ModelKind) => Refusal | undefined
}

const tokenizerConfigName = "tokenizer_config.json"

/** Files that are the same in every layout: the tokenizer, its rules and words, licence and model card. */
const shared =
  /^(tokenizer|special_tokens_map|added_tokens|vocab)\.json$|^(tokenizer\.model|merges\.txt)$|^(README|LICENSE|NOTICE)(\.|$)/

const readTokenizerConfig = Effect.fnUntraced(function* (directory: string) {
  const file = join(directory, tokenizerConfigName)
  if (!existsSync(file)) return {}
  const text = yield* readText(file)
  return yield* Effect.try({ try: () => parseJson(text) as Json, catch: (error) => error as Error })
})

const bytesOf = (content: Json | string): Uint8Array =>
  new TextEncoder().encode(typeof content === "string" ? content : `${JSON.stringify(content, null, 2)}\n`)

/** Writes the files that a layout makes of the tokenizer's configuration, and those that all have. */
export const writeLayoutFiles = Effect.fnUntraced(function* (
  { source, directory }: ModelToExport,
  filesOf: (tokenizerConfig: Json) => LayoutFiles
) {
  const failed = (cause: unknown) => new ExportNotWritten({ directory, cause })
  const from = source.directory.directory
  const tokenizerConfig = yield* Effect.mapError(readTokenizerConfig(from), failed)
  const made = filesOf(tokenizerConfig)
  const written: AtomicFile.Written[] = []
  for (const [name, content] of Object.entries(made)) {
    const file = yield* Effect.mapError(AtomicFile.writeWhole(join(directory, name), bytesOf(content)), failed)
    written.push({ ...file, file: name })
  }
  const copied = yield* copyCompanions(from, directory, { isWanted: (name) => shared.test(name) })
  return [...written, ...copied]
})

/** An exporter of a layout. A model that is in it already is written as `fake-quant` writes it. */
export const layoutExporter = (definition: LayoutDefinition): Exporter<FakeQuantConfig> => {
  const { id, version, description, checkedBy, layout, files, refusal } = definition
  return {
    id,
    version,
    description,
    Config: FakeQuantConfig,
    checkedBy,
    directoryName: ({ dtype }) => (dtype === "f32" ? `${id}-f32` : id),
    // A model that is in the layout already is written as it is.
    refusal: (_, model) =>
      existsSync(model.directory) && readLayout(model.directory) === layout ? undefined : refusal?.(model),
    holds: ({ dtype }, layers) => layers.map(() => numbers(dtype)),
    bytes: fakeQuantExporter.bytes,
    write: Effect.fnUntraced(function* (config, model) {
      const { directory: opened } = model.source
      if (readLayout(opened.directory) === layout) return yield* fakeQuantExporter.write(config, model)
      const companions = yield* writeLayoutFiles(model, (tokenizer) => files(opened, config.dtype, tokenizer))
      const names = storedNames(modelTensors(opened.config).keys(), layout)
      const { file, bytes, difference } = yield* writeTensors(model, (parts) =>
        fakeQuantEntries(parts, config.dtype, names)
      )
      return { files: [file, ...companions], bytes, ...difference, layersFallenBack: [] }
    })
  }
}
