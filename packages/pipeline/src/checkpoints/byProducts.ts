/**
 * What a finished stage wrote besides its artefacts: its report, tables, lists. No later stage reads them. They are kept a second time,
 * together in one file, so that one which is damaged or gone is made anew without a step.
 */
import { AtomicFile, SafetensorsInvalid } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { isDamage, madeDirectory, readingFault, storageFailed, whileDoing } from "../files/storage.ts"
import { damageOf, setDamagedAside } from "./damage.ts"
import type { Finished } from "./StageManifest.ts"
import { type FileRecord, openSaved, verifyFile, writeSaved } from "./savedFile.ts"

const copiesName = "by-products.safetensors"

/** Copies files of a stage's directory, named by their records. They fit into memory: a stage that writes gigabytes has no steps. */
export const writeCopies = Effect.fn("writeCopies")(function* (directory: string, files: ReadonlyArray<FileRecord>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const tensors = files.map(({ file, bytes }) => ({
    name: file,
    dtype: "U8" as const,
    shape: [bytes],
    data: whileDoing("copy what the stage wrote", file)(fs.readFile(path.join(directory, file)))
  }))
  const to = path.join(directory, copiesName)
  const { bytes, sha256 } = yield* Effect.mapError(writeSaved(to, { data: null, tensors }), (error) =>
    // A file that is not what it was when its record was made.
    error instanceof SafetensorsInvalid ? storageFailed("copy what the stage wrote", to, error) : error
  )
  return { file: copiesName, bytes, sha256 } satisfies FileRecord
})

/** Writes a file again from the copies. Fails with SavedFileDamaged where they are damaged themselves. */
const restoreFile = Effect.fn("restoreFile")(function* (directory: string, copies: FileRecord, { file }: FileRecord) {
  const path = yield* Path.Path
  const [from, to] = [path.join(directory, copies.file), path.join(directory, file)]
  yield* verifyFile(from, copies)
  const { tensors } = yield* openSaved(from)
  const bytes = yield* Effect.mapError(tensors.read(file), (error) => readingFault(from, error))
  const writing = Effect.andThen(madeDirectory(path.dirname(to)), AtomicFile.writeWhole(to, bytes))
  yield* whileDoing("write a file of the stage again", to)(writing)
}, Effect.scoped)

/** Makes by-products of a finished stage anew that are damaged, and their copies, as far as one of the two is whole. */
export const mendByProducts = Effect.fn("mendByProducts")(function* (directory: string, { files, copies }: Finished) {
  if (copies === undefined) return
  for (const file of files) {
    const damage = yield* damageOf(directory, [file])
    if (damage === undefined) continue
    yield* setDamagedAside(directory, damage, "it is made anew from its copy")
    yield* restoreFile(directory, copies, file).pipe(
      Effect.catchIf(isDamage, (error) =>
        setDamagedAside(
          directory,
          error,
          `${file.file} cannot be made anew; the stage's results are whole and are used`
        )
      )
    )
  }
  const damage = yield* damageOf(directory, [copies])
  if (damage === undefined || (yield* damageOf(directory, files)) !== undefined) return
  yield* setDamagedAside(directory, damage, "it is made anew")
  yield* writeCopies(directory, files)
})
