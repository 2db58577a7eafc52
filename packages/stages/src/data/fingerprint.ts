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
  /** Whether it looks at the recipe's teacher. */
  readonly teacher?: boolean
  /** A training mixture: its meta file and every annotation file. Images count by their names in those. */
  readonly meta?: string
}

/** The files of a path that names weights: its own, or those of a directory. */
const weightsAt = (path: string): readonly string[] =>
  statSync(path, { throwIfNoEntry: false })?.isDirectory() ? modelFiles(path) : [path]

/** Weights that are not in the recipe's model, by what they are for: the same file as another part is another model. */
const elsewhere = ({ parts = {}, teacher }: RecipeSettings, looksAtTeacher: boolean) => {
  const paths = [
    ...(["vision", "projector", "language"] as const).map((part) => [part, parts[part]] as const),
    ["teacher", looksAtTeacher ? teacher : undefined] as const
  ]
  return paths.flatMap(([use, path]) => (path === undefined ? [] : [{ use, files: weightsAt(path) }]))
}

const digestOf = async (file: string): Promise<string> => (existsSync(file) ? await hashFile(file) : `${file}: missing`)

/** Annotation files of a mixture; a meta file that cannot be read is met again when the stage opens it. */
const annotationsOf = (meta: string | undefined): Effect.Effect<readonly string[]> => {
  if (meta === undefined) return Effect.succeed([])
  return readDatasetMeta(meta, dirname(meta)).pipe(
    Effect.map((datasets) => [meta, ...datasets.map(({ annotation }) => annotation)]),
    Effect.catch(() => Effect.succeed([meta]))
  )
}

/** Digest of the recipe's model and of data files. A file that is missing is said by the preflight; here it counts as such. */
export const fingerprintOf = Effect.fnUntraced(function* (
  recipe: RecipeSettings,
  { files = [], teacher = false, meta }: Reading
): Effect.fn.Return<string, StorageFailed> {
  const data = [...files, ...(yield* annotationsOf(meta))]
  return yield* Effect.tryPromise({
    try: async () => {
      const model = existsSync(recipe.model) ? modelFiles(recipe.model) : []
      const digests: string[] = []
      for (const file of model) digests.push(await digestOf(file))
      for (const { use, files: theirs } of elsewhere(recipe, teacher)) {
        digests.push(use)
        for (const file of theirs) digests.push(await digestOf(file))
      }
      for (const file of data) digests.push(await digestOf(file))
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
