/** Makes a random model with a bar on the terminal, and describes it. */
import { emit, formatBytes, formatDuration } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { Note, progress } from "../command/progress.ts"
import type { PresetName } from "./presets.ts"
import { type RandomModel, writeRandomModel } from "./writeRandomModel.ts"

/** `writeRandomModel`, its steps shown on standard error. */
export const makeModel = Effect.fn("makeModel")(function* (
  name: PresetName,
  options: { readonly seed: number; readonly directory: string }
) {
  const model = yield* writeRandomModel(name, options)
  yield* emit(Note, { message: `wrote ${model.directory}` })
  return model
}, Effect.provide(progress))

/** The model in lines. */
export const describeModel = ({ directory, parameters, bytes, files, tokenizer, seconds }: RandomModel): string =>
  [
    `${directory}: ${parameters.toLocaleString("en-US")} random parameters in bf16, ${formatBytes(bytes)}, in ${formatDuration(1000 * seconds)}`,
    ...files.map(({ file, sha256 }) => `  ${file}  sha256 ${sha256}`),
    ...(tokenizer === "bytes"
      ? [
          "The tokenizer has the 256 bytes and the special tokens at their real ids, not the vocabulary of the released model:",
          "text takes one token per byte, and the ids between those and the special tokens are unused."
        ]
      : [])
  ].join("\n")
