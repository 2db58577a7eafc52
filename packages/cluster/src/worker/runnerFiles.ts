/**
 * The files of a unit on the runner's machine: in the run's directory where all see that, or fetched from the run. They come and go in the
 * runner's process, while the process beside it computes other units.
 */
import { createHash } from "node:crypto"
import { linkSync, mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { dirname, join } from "node:path"
import { readText } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import type * as Scope from "effect/Scope"
import { type BlobAddress, fetchBlob, sendBlob } from "../blobs/blobClient.ts"
import { tokenOfEnvironment, tokenVariable } from "../blobs/token.ts"
import { UnitFailed } from "../Errors.ts"
import { decodeRunFiles, type RunFile } from "../exchange/runFiles.ts"
import { exchangeOf } from "../units/exchange.ts"
import type { Source, UnitReply, UnitRequest } from "../units/UnitOfWork.ts"
import type { UnitOrder } from "./UnitOrder.ts"
import { makeVersions } from "./versions.ts"

/** Where a unit's files are, for the life of the scope, and what gives the run those that it wrote. */
interface RunnerFiles {
  readonly order: UnitOrder
  readonly give: (files: UnitReply["files"]) => Effect.Effect<void, UnitFailed>
}

const failed = ({ message: reason }: Error) => new UnitFailed({ reason })

/** In the folder that coordinator and runner both see. */
const sharedFiles = (request: UnitRequest): RunnerFiles => ({
  order: { request, directory: request.run, written: exchangeOf(request.run) },
  give: () => Effect.void
})

const addressOf = ({ url, token = tokenOfEnvironment() }: Source): Effect.Effect<BlobAddress, UnitFailed> => {
  const reason = `the run's files at ${url} need its token; start the runner with the ${tokenVariable} of the run`
  return token === undefined ? Effect.fail(new UnitFailed({ reason })) : Effect.succeed({ url, token })
}

/** Of a run's directory, what one stage needs: files by their paths in it. */
interface Mirror {
  readonly directory: string
  readonly files: readonly RunFile[]
}

/** Makes files ready for units, below the runner's own `folder`. */
export const makeRunnerFiles = Effect.fnUntraced(function* (folder: string) {
  const [mirrors, given] = [join(folder, "runs"), join(folder, "given")]
  for (const directory of [mirrors, given]) mkdirSync(directory, { recursive: true })
  const mirrorOf = (sha256: string) => join(mirrors, sha256)
  /** Files that come together, by the digests of all of them. */
  const givenOf = (name: string) => join(given, createHash("sha256").update(name).digest("hex"))
  const remove = (path: string) => rmSync(path, { recursive: true, force: true })

  const keptMirrors = yield* makeVersions<Mirror, UnitFailed>((sha256) => remove(mirrorOf(sha256)))
  const keptFiles = yield* makeVersions<{ readonly [sha256: string]: string }, UnitFailed>((name) =>
    remove(givenOf(name))
  )

  /** The files of the mirror before, which need not come again. */
  let last: Mirror | undefined
  const link = (file: RunFile, target: string): boolean => {
    const before = last?.files.find(({ sha256 }) => sha256 === file.sha256)
    if (last === undefined || before === undefined) return false
    try {
      linkSync(join(last.directory, before.file), target)
      return true
    } catch {
      // It has gone, or the system has no links: it comes again.
      return false
    }
  }
  const makeMirror = Effect.fnUntraced(function* (address: BlobAddress, { list }: Source) {
    const directory = mirrorOf(list.sha256)
    remove(directory)
    mkdirSync(directory)
    const listFile = join(directory, "files.json")
    yield* fetchBlob(address, list, listFile)
    const files = yield* decodeRunFiles(yield* readText(listFile))
    for (const file of files) {
      const target = join(directory, file.file)
      mkdirSync(dirname(target), { recursive: true })
      if (!link(file, target)) yield* fetchBlob(address, file, target)
    }
    last = { directory, files }
    return last
  }, Effect.mapError(failed))
  const fetchFiles = Effect.fnUntraced(function* (address: BlobAddress, name: string, records: UnitRequest["files"]) {
    const directory = givenOf(name)
    mkdirSync(directory, { recursive: true })
    const paths: { [sha256: string]: string } = {}
    for (const record of records) {
      const path = join(directory, record.sha256)
      yield* fetchBlob(address, record, path)
      paths[record.sha256] = path
    }
    return paths
  }, Effect.mapError(failed))

  const fetchedFiles = Effect.fnUntraced(function* (request: UnitRequest, source: Source) {
    const address = yield* addressOf(source)
    const { directory } = yield* keptMirrors.use(source.list.sha256, makeMirror(address, source))
    const name = request.files.map(({ sha256 }) => sha256).join(" ")
    const fetched = yield* keptFiles.use(name, fetchFiles(address, name, request.files))
    const written = yield* Effect.acquireRelease(
      Effect.sync(() => mkdtempSync(join(folder, "written-"))),
      (each) => Effect.sync(() => remove(each))
    )
    const files: RunnerFiles = {
      order: { request, directory, written, fetched },
      give: (records) =>
        Effect.forEach(records, (record) => sendBlob(address, record, join(written, record.file)), {
          discard: true
        }).pipe(Effect.mapError(failed))
    }
    return files
  })

  return (
    request: UnitRequest
  ): Effect.Effect<RunnerFiles, UnitFailed, FileSystem.FileSystem | Path.Path | Scope.Scope> =>
    request.source === undefined ? Effect.succeed(sharedFiles(request)) : fetchedFiles(request, request.source)
})
