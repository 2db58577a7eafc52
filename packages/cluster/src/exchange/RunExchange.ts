/**
 * How files go between a run and its runners, seen from the run: through the run's directory, which all see, or over HTTP from there.
 * Either way they lie in one of its folders here.
 */
import { mkdirSync, readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import {
  type BatchOptions,
  type FileRecord,
  type SavedFileDamaged,
  type StorageFailed,
  type UnitFiles,
  verifyFile
} from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import { exchangeOf, fileName, isOfOtherBatch } from "../units/exchange.ts"
import type { UnitRequest } from "../units/UnitOfWork.ts"
import { notedFiles } from "./unitFiles.ts"

/** What a request says of files. */
export type GivenFiles = Pick<UnitRequest, "files" | "source">

/** The files of one batch. */
interface BatchExchange {
  readonly files: UnitFiles
  /** What the next request says of them. */
  readonly given: Effect.Effect<GivenFiles, Error>
  /** Looks at every byte of what a unit gave. Fails where it is not there as it was written. */
  readonly arrived: (files: readonly FileRecord[]) => Effect.Effect<void, SavedFileDamaged | StorageFailed>
}

export interface RunExchange {
  /**
   * Begins a batch whose files begin with `prefix`, of the stage at `place` where it is of one. What was of other batches goes. Fails with
   * UnitFailed where files cannot go this way.
   */
  readonly begin: (
    prefix: string,
    place: string | undefined,
    options: Pick<BatchOptions, "title" | "unitBytes" | "needsFolder">
  ) => Effect.Effect<BatchExchange, Error>
  /** Removes what is of any batch, also what a killed process had begun to write. */
  readonly end: Effect.Effect<void>
  /** Whether requests that an earlier process of the run had asked can still be answered. */
  readonly answersEarlier: boolean
}

/** The folder in the run's directory, for the life of the scope. */
export const exchangeFolder = (run: string) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const folder = exchangeOf(run)
      mkdirSync(folder, { recursive: true })
      return folder
    }),
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

/** Removes files of batches other than that of `prefix` from the folder. */
export const removeOthers = (folder: string, prefix?: string) =>
  Effect.sync(() => {
    for (const name of readdirSync(folder)) {
      if (isOfOtherBatch(name, prefix)) rmSync(join(folder, name), { force: true })
    }
  })

/** Through a folder that runners see under the same path. */
export const folderExchange = Effect.fnUntraced(function* (folder: string) {
  const services = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
  const exchange: RunExchange = {
    begin: Effect.fnUntraced(function* (prefix) {
      yield* removeOthers(folder, prefix)
      const at = (file: string) => join(folder, file)
      // Files of units have been looked at when they came.
      const others = ({ file }: FileRecord) => Effect.succeed(at(file))
      const { files, records } = notedFiles({ written: at, nameOf: (name) => fileName(prefix, name), others })
      const verify = (record: FileRecord) => Effect.provideContext(verifyFile(at(record.file), record), services)
      return {
        files,
        given: Effect.sync(() => ({ files: [...records] })),
        arrived: (found) => Effect.forEach(found, verify, { discard: true })
      }
    }),
    // What follows the last batch may take long: nothing of it stays.
    end: removeOthers(folder),
    answersEarlier: true
  }
  return exchange
})
