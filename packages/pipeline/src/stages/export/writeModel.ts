/** Writes a deployed model as a directory: tensors, everything else of the source's directory, and what was done to it. */
import { mkdir, readFile } from "node:fs/promises"
import { join } from "node:path"
import { AtomicFile, Safetensors } from "@speedq/formats"
import { encodeChoice } from "@speedq/quantizers"
import { parameterCount } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type DeployedModel, Rest } from "../../model/deployedModel.ts"
import { filesOf } from "../../model/directoryFiles.ts"
import type { SourceModel } from "../../model/SourceModel.ts"
import { withDefault } from "../../options.ts"
import { codeVersion } from "../../StageKey.ts"
import { storageFailed } from "../../storage.ts"
import { fakeQuantEntries, hasResized, packedEntries } from "./entries.ts"

export const ExportConfig = Schema.Struct({
  /** "fake-quant": dequantized weights in the source's layout; "packed": codes and scales, at the size that `plan` promised. */
  format: Schema.Literals(["fake-quant", "packed"]),
  /** Numbers of a fake-quant export: bf16 as released, or f32, which keeps every bit. */
  dtype: withDefault(Schema.Literals(["bf16", "f32"]), "bf16"),
  rest: Rest
})
export type ExportConfig = typeof ExportConfig.Type

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
  bytes: Schema.Int,
  /** Layers that this format cannot hold as they are quantized, and that were written dequantized. */
  layersFallenBack: Schema.Array(Schema.String)
})
export type Exported = typeof Exported.Type

/** Files that an export has besides the tensors. */
export const tensorsName = "model.safetensors"
export const descriptionName = "quantization.json"

/** What of a model's directory holds, or lists, weights. */
const isWeights = (name: string): boolean =>
  /\.(safetensors|bin|pth|pt|gguf|onnx|msgpack|h5|ot)$|\.index\.json$/.test(name) || name === descriptionName

/** Config, tokenizer, remote code, licence: names of all files of a model directory but its weights. */
export const companionsOf = (directory: string): readonly string[] =>
  filesOf(directory).filter((name) => !isWeights(name))

const configName = "config.json"

/**
 * A companion as the export has it: its own bytes, but for the type of numbers that config.json names. transformers loads
 * weights in that type, so bf16 there would round away what an export in f32 keeps.
 */
const companion = (name: string, bytes: Uint8Array, keepsEveryBit: boolean): Uint8Array => {
  if (name !== configName || !keepsEveryBit) return bytes
  const text = new TextDecoder().decode(bytes)
  return new TextEncoder().encode(text.replace(/("(?:torch_)?dtype"\s*:\s*)"(?:bfloat16|float16)"/g, '$1"float32"'))
}

/** quantization.json: what was done to which layer, and by what. */
const describe = (
  recipe: Schema.Json,
  { packed }: DeployedModel,
  { directory: _directory, ...exported }: Exported
) => ({
  tool: "speedq",
  version: codeVersion,
  recipe,
  ...exported,
  layers: Object.fromEntries(
    [...packed].map(([name, { choice, shape, bytes }]) => [
      name,
      { ...encodeChoice(choice), bits: choice.quantizer.bitsPerWeight(choice.config), shape, bytes }
    ])
  )
})

export interface WriteModelOptions extends ExportConfig {
  readonly directory: string
  /** For the description: the recipe that made the model, or a name where there is none. */
  readonly recipe: Schema.Json
}

/** Writes `deployed`, made of `source`, into `directory`. The caller releases the model. Fails with StorageFailed. */
export const writeModel = Effect.fn("writeModel")(function* (
  source: SourceModel,
  deployed: DeployedModel,
  { format, dtype, rest, directory, recipe }: WriteModelOptions
) {
  const failed = (error: unknown) => storageFailed("write the exported model", directory, error)
  const from = source.directory.directory
  const attempt = <A>(work: () => Promise<A>) => Effect.tryPromise({ try: work, catch: failed })
  yield* attempt(() => mkdir(directory, { recursive: true }))
  for (const name of companionsOf(from)) {
    const bytes = yield* attempt(() => readFile(join(from, name)))
    const written = companion(name, bytes, format === "fake-quant" && dtype === "f32")
    yield* Effect.mapError(AtomicFile.writeWhole(join(directory, name), written), failed)
  }
  const { written, maxAbsErr } = yield* Effect.scoped(
    Effect.gen(function* () {
      const store = hasResized(source) ? (yield* Safetensors.openModel(from)).store : undefined
      const parts = { source, store, deployed }
      const entries = format === "packed" ? packedEntries(parts, rest) : fakeQuantEntries(parts, dtype)
      const file = join(directory, tensorsName)
      const bytes = yield* Safetensors.write(file, entries.sources, { metadata: entries.metadata })
      return { written: bytes, maxAbsErr: entries.maxAbsErr() }
    })
  ).pipe(Effect.mapError(failed))
  const exported: Exported = {
    directory,
    format,
    exact: maxAbsErr === 0,
    maxAbsErr,
    bitsPerWeight: (8 * written.bytes) / parameterCount(source.directory.config),
    bytes: written.bytes,
    layersFallenBack: []
  }
  const description = new TextEncoder().encode(`${JSON.stringify(describe(recipe, deployed, exported), null, 2)}\n`)
  yield* Effect.mapError(AtomicFile.writeWhole(join(directory, descriptionName), description), failed)
  return exported
})
