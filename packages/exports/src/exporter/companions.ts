/**
 * Files that a model directory has besides its weights: config, tokenizer, remote code, licence, model card. An export is published,
 * so it takes what belongs to a model, by name, and nothing that merely lies there.
 */
import { realpathSync } from "node:fs"
import { basename, dirname, join, sep } from "node:path"
import { AtomicFile, mostBytes, readBytes } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { ExportNotWritten } from "../Errors.ts"
import { filesOf } from "./directoryFiles.ts"

/** The file that says what was done to a model. */
export const descriptionName = "quantization.json"

const companions = [
  /^(generation_)?config\.json$/,
  /^(video_)?(pre)?processor_config\.json$/,
  /^chat_template\.(json|jinja)$/,
  /^(tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab)\.json$/,
  /^(tokenizer\.model|merges\.txt)$/,
  // Code that the model was published with; `auto_map` of its config names it.
  /^(configuration|modeling|tokenization|(image_)?processing)_\w+\.py$/,
  /^(conversation|flash_attention)\.py$/,
  /^(README|LICENSE|NOTICE)(\.(md|txt))?$/
]

/** Names of the files of a model directory that go with its weights. */
export const companionsOf = (directory: string): readonly string[] =>
  filesOf(directory).filter((name) => companions.some((pattern) => pattern.test(name)))

/**
 * Where links may lead: below the directory itself, and in the hub's cache, where `snapshots/REVISION` holds links to `blobs` beside
 * it.
 */
const rootsOf = (directory: string): readonly string[] => {
  const own = realpathSync(directory)
  const snapshots = dirname(own)
  return basename(snapshots) === "snapshots" ? [own, join(dirname(snapshots), "blobs")] : [own]
}

interface CopyOptions {
  /** Which of them are copied, by name; all without it. */
  readonly isWanted?: (name: string) => boolean
  /** A file as the copy has it; its own bytes without it. */
  readonly change?: (name: string, bytes: Uint8Array) => Uint8Array
}

/** Copies them, and gives what was written. Fails with ExportNotWritten. */
export const copyCompanions = Effect.fnUntraced(function* (
  from: string,
  to: string,
  { isWanted = () => true, change = (_, bytes) => bytes }: CopyOptions = {}
) {
  const failed = (cause: unknown) => new ExportNotWritten({ directory: to, cause })
  const roots = yield* Effect.try({ try: () => rootsOf(from), catch: failed })
  const copied: AtomicFile.Written[] = []
  for (const name of companionsOf(from).filter(isWanted)) {
    const file = join(from, name)
    const real = yield* Effect.try({ try: () => realpathSync(file), catch: failed })
    if (!roots.some((root) => real.startsWith(`${root}${sep}`))) {
      // What it holds may not be meant for others.
      const cause = `${file} is a link to ${real}, which is neither in the model's directory nor in the hub's cache`
      return yield* new ExportNotWritten({ directory: to, cause, fix: "put the file itself in its place" })
    }
    const bytes = yield* Effect.mapError(readBytes(real, mostBytes.text), failed)
    const written = yield* Effect.mapError(AtomicFile.writeWhole(join(to, name), change(name, bytes)), failed)
    copied.push({ ...written, file: name })
  }
  return copied
})
