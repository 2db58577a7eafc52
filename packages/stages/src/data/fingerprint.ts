/** Names the bytes that a stage reads from outside, so that a change of them runs it again. */
import { createHash } from "node:crypto"
import { createReadStream, existsSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { allFilesOf, filesOf } from "@speedq/exports"
import { type RecipeSettings, StorageFailed } from "@speedq/pipeline"
import { readDatasetMeta } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { detailsDirectory } from "../reference/QuantDetails.ts"

/** Files whose bytes are hashed up to this size; larger ones count by size and a sample of their bytes. */
const wholeUpTo = 64 * 2 ** 20

const hashFile = async (file: string): Promise<string> => {
  const hash = createHash("sha256")
  const { size } = statSync(file)
  hash.update(`${size}\n`)
  // Of a checkpoint of gigabytes: the header, and a megabyte at every 64th of the way.
  const spans =
    size <= wholeUpTo
      ? [{ start: 0, end: size - 1 }]
      : Array.from({ length: 64 }, (_, i) => {
          const start = Math.floor((i * (size - 2 ** 20)) / 63)
          return { start, end: start + 2 ** 20 - 1 }
        })
  for (const span of spans) {
    if (span.end < span.start) continue
    for await (const chunk of createReadStream(file, span)) hash.update(chunk as Uint8Array)
  }
  return hash.digest("hex")
}

/** Files that make a model: all that its directory holds at the top, in order of name, and what the reference wrote below it. */
const modelFiles = (directory: string): readonly string[] => {
  const own = filesOf(directory).filter((name) => /\.(json|safetensors|txt|bin)$/.test(name))
  const details = detailsDirectory(directory)
  return [
    ...own.map((name) => join(directory, name)),
    ...(details === undefined ? [] : allFilesOf(details).map((name) => join(details, name)))
  ]
}

/** What a stage reads besides the model. */
interface Reading {
  readonly files?: readonly string[]
  /** Training mixtures: their meta files and every annotation file. Images count by their names in those. */
  readonly metas?: readonly string[]
}

/** Annotation files of a mixture; a meta file that cannot be read is met again when the stage opens it. */
const annotationsOf = (meta: string): Effect.Effect<readonly string[]> =>
  readDatasetMeta(meta, dirname(meta)).pipe(
    Effect.map((datasets) => [meta, ...datasets.map(({ annotation }) => annotation)]),
    Effect.catch(() => Effect.succeed([meta]))
  )

/** Digest of the recipe's model and of data files. A file that is missing is said by the preflight; here it counts as such. */
export const fingerprintOf = Effect.fnUntraced(function* (
  recipe: RecipeSettings,
  { files = [], metas = [] }: Reading
): Effect.fn.Return<string, StorageFailed> {
  const data = [...files, ...(yield* Effect.forEach(metas, annotationsOf)).flat()]
  return yield* Effect.tryPromise({
    try: async () => {
      const model = existsSync(recipe.model) ? modelFiles(recipe.model) : []
      const digests: string[] = []
      for (const file of [...model, ...data]) {
        digests.push(existsSync(file) ? await hashFile(file) : `${file}: missing`)
      }
      return createHash("sha256").update(digests.join("\n")).digest("hex")
    },
    catch: (error) =>
      new StorageFailed({
        doing: "read what the stage depends on",
        path: recipe.model,
        reason: "other",
        detail: error instanceof Error ? error.message : String(error)
      })
  })
})
