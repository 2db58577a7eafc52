/** Saved files that are not what was written: found by their digests, moved aside, and told. */
import * as Effect from "effect/Effect"
import * as Path from "effect/Path"
import { RunDirectory } from "../directory/RunDirectory.ts"
import type { SavedFileDamaged } from "../Errors.ts"
import { emit } from "../events/Events.ts"
import { CheckpointDamaged } from "../events/runEvents.ts"
import { isDamage } from "../files/storage.ts"
import { type FileRecord, verifyFiles } from "./savedFile.ts"
import { setAside } from "./superseded.ts"

/** What is wrong with the first of some files of a stage's directory that is damaged; undefined where all are whole. */
export const damageOf = (directory: string, files: ReadonlyArray<FileRecord>) =>
  verifyFiles(directory, files).pipe(
    Effect.as(undefined),
    Effect.catchIf(isDamage, (error) => Effect.succeed(error))
  )

/** Tells of a damaged file of a stage's directory, which is moved aside, and of what takes its place. */
export const setDamagedAside = Effect.fnUntraced(function* (
  directory: string,
  { file, detail }: SavedFileDamaged,
  fallback: string
) {
  const path = yield* Path.Path
  const run = yield* RunDirectory
  yield* run.verify
  const keptAt = yield* setAside(path.basename(directory), file)
  yield* emit(CheckpointDamaged, {
    ...{ file: path.relative(run.path, file), detail, fallback },
    ...(keptAt === undefined ? {} : { keptAt })
  })
})
