/** Files that a model directory has besides its weights: config, tokenizer, remote code, licence. */
import { readFile } from "node:fs/promises"
import { join } from "node:path"
import { AtomicFile } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { ExportNotWritten } from "../Errors.ts"
import { filesOf } from "./directoryFiles.ts"

/** The file that says what was done to a model. */
export const descriptionName = "quantization.json"

/** What of a model's directory holds, or lists, weights. */
const isWeights = (name: string): boolean =>
  /\.(safetensors|bin|pth|pt|gguf|onnx|msgpack|h5|ot)$|\.index\.json$/.test(name) || name === descriptionName

/** Names of all files of a model directory but its weights. */
export const companionsOf = (directory: string): readonly string[] =>
  filesOf(directory).filter((name) => !isWeights(name))

/** Copies them, each as `change` makes it, and gives their names. */
export const copyCompanions = Effect.fnUntraced(function* (
  from: string,
  to: string,
  change: (name: string, bytes: Uint8Array) => Uint8Array = (_, bytes) => bytes
) {
  const failed = (cause: unknown) => new ExportNotWritten({ directory: to, cause })
  const names = companionsOf(from)
  for (const name of names) {
    const bytes = yield* Effect.tryPromise({ try: () => readFile(join(from, name)), catch: failed })
    yield* Effect.mapError(AtomicFile.writeWhole(join(to, name), change(name, bytes)), failed)
  }
  return names
})
