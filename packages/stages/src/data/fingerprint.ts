/** Names the bytes that a stage reads from outside, so that a change of them runs it again. */
import { createHash } from "node:crypto"
import { existsSync, statSync } from "node:fs"
import { dirname, join } from "node:path"
import { allFilesOf, filesOf } from "@speedq/exports"
import { Events, type RecipeSettings, RunEvents, type StorageFailed, storageFailed } from "@speedq/pipeline"
import { type PictureLimits, readDatasetMeta } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { detailsDirectory } from "../reference/QuantDetails.ts"
import type { DataConfig } from "../training/TrainingConfig.ts"
import { fileDigest, type OnReading } from "./fileDigest.ts"
import { mixturePictures, readMixture } from "./mixture.ts"
import { keptLimits } from "./pictureLimits.ts"

/** Files that make a model: all that its directory holds at the top, in order of name, and what the reference wrote below it. */
const modelFiles = (directory: string): readonly string[] => {
  const own = filesOf(directory).filter((name) => /\.(json|safetensors|txt|bin)$/.test(name))
  const details = detailsDirectory(directory)
  return [
    ...own.map((name) => join(directory, name)),
    ...(details === undefined ? [] : allFilesOf(details).map((name) => join(details, name)))
  ]
}

const digestOf = (parts: readonly (string | Uint8Array)[]): string => {
  const hash = createHash("sha256")
  for (const part of parts) hash.update(`${part.length}\n`).update(part)
  return hash.digest("hex")
}

/** Digests of files; one that is missing counts as such, the preflight says so. Within a run, it tells of large files that it reads. */
const digestsOf = Effect.fnUntraced(function* (files: readonly string[]) {
  const events = yield* Effect.serviceOption(Events)
  const tell: OnReading = (file, bytes) => {
    if (Option.isSome(events)) Effect.runSync(events.value.emit(RunEvents.FileReading, { file, bytes }))
  }
  return yield* Effect.forEach(files, (file) =>
    Effect.tryPromise({
      try: async () => (existsSync(file) ? fileDigest(file, tell) : `${file}: missing`),
      catch: (error) => storageFailed("read what the stage depends on", file, error)
    })
  )
})

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

/** Digest of the recipe's model and of its parts and teacher from elsewhere. */
export const modelDigest = Effect.fnUntraced(function* (recipe: RecipeSettings, { teacher = true } = {}) {
  const { model } = recipe
  const own = yield* digestsOf(existsSync(model) ? modelFiles(model) : [])
  const others: string[] = []
  for (const { use, files } of elsewhere(recipe, teacher)) {
    others.push(use, ...(yield* digestsOf(files)))
  }
  return digestOf([...own, ...others])
})

/** What a stage reads besides the model. */
interface Reading {
  readonly files?: readonly string[]
  /** Mixtures that pictures are drawn from: their meta files and every annotation file. The pictures are among `files`. */
  readonly metas?: readonly string[]
  /** Whether it looks at the recipe's teacher. */
  readonly teacher?: boolean
  /** A training mixture: its meta file, every annotation file, and the pictures of the records that are selected. */
  readonly data?: DataConfig
  /** Which pictures are read. */
  readonly limits?: PictureLimits
}

/** Annotation files of a mixture; a meta file that cannot be read is met again when the stage opens it. */
const annotationsOf = (meta: string): Effect.Effect<readonly string[]> =>
  readDatasetMeta(meta, dirname(meta)).pipe(
    Effect.map((datasets) => [meta, ...datasets.map(({ annotation }) => annotation)]),
    Effect.catch(() => Effect.succeed([meta]))
  )

/** Digests of a mixture; one that cannot be read is met again when the stage opens it. */
const mixtureDigests = (data: DataConfig, { seed }: RecipeSettings) =>
  Effect.gen(function* () {
    const mixture = yield* readMixture({ data, seed })
    const pictures = yield* mixturePictures(mixture, data.pictures)
    return [mixture.meta, ...mixture.parts.flatMap(({ annotation }, at) => [annotation, pictures[at]!.digests])]
  }).pipe(Effect.catch(({ reason }) => Effect.succeed([`cannot be read: ${reason}`])))

/** What limits say that is not so by default. */
const limitsOf = (limits: PictureLimits): readonly string[] => {
  const kept = JSON.stringify(keptLimits(limits))
  return kept === JSON.stringify(keptLimits({})) ? [] : [kept]
}

/** Digest of the recipe's model and of data files. A file that is missing is said by the preflight; here it counts as such. */
export const fingerprintOf = Effect.fnUntraced(function* (
  recipe: RecipeSettings,
  { files = [], metas = [], teacher = false, data, limits = {} }: Reading
): Effect.fn.Return<string, StorageFailed> {
  const model = yield* modelDigest(recipe, { teacher })
  const annotations = (yield* Effect.forEach(metas, annotationsOf)).flat()
  const digests = yield* digestsOf([...files, ...annotations])
  const mixture = data === undefined ? [] : yield* mixtureDigests(data, recipe)
  return digestOf([model, ...digests, ...mixture, ...limitsOf(limits)])
})
