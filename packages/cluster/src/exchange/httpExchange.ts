/** Files over HTTP, from the folder of the run's directory that runners need not see: by digest, from a thread of the run's process. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import { AtomicFile } from "@speedq/formats"
import { Events, type FileRecord, SavedFileDamaged } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import { receivedPath } from "../blobs/blobServer.ts"
import { type Listening, listeningAt } from "../blobs/listening.ts"
import { startBlobThread } from "../blobs/startBlobThread.ts"
import { FilesServed } from "../coordinator/clusterEvents.ts"
import { UnitFailed } from "../Errors.ts"
import { fileName, listName, sentPrefix } from "../units/exchange.ts"
import { type RunExchange, removeOthers } from "./RunExchange.ts"
import { encodeRunFiles, makeRunFiles } from "./runFiles.ts"
import { notedFiles } from "./unitFiles.ts"

/**
 * Most bytes that a unit may send in one file: what was said of it, or gradients in f32 of parameters that came in 2 bytes or more; and
 * what goes with them (the header, the loss, what was seen of samples).
 */
const mostBytes = (given: readonly FileRecord[], said: number | undefined): number =>
  (said ?? 2 * given.reduce((sum, { bytes }) => sum + bytes, 0)) + 64 * 2 ** 20

/** Files that are taken for each unit that was asked: it may be computed by more than one runner, and sent again after a cut. */
const perUnit = 4

/** For the life of the scope. Fails with ListenRefused. */
export const httpExchange = Effect.fn("httpExchange")(function* (
  run: string,
  folder: string,
  listen: string | undefined
) {
  const listening: Listening = yield* listeningAt(listen)
  const thread = yield* startBlobThread(listening)
  yield* (yield* Events).emit(FilesServed, { url: thread.url, isOwnToken: listening.tellsToken })
  const services = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
  const filesOf = makeRunFiles(run)
  const token = listening.tellsToken ? { token: listening.token } : {}
  const at = (file: string) => join(folder, file)

  /** The list of what runners need of the stage, as a file, and the files in it. */
  const listed = Effect.fnUntraced(function* (prefix: string, place: string) {
    const files = yield* filesOf(place)
    const path = at(listName(prefix))
    const { bytes, sha256 } = yield* AtomicFile.writeWhole(path, encodeRunFiles(files))
    const blobs = [
      { bytes, sha256, path },
      ...files.map(({ file, ...record }) => ({ ...record, path: join(run, file) }))
    ]
    return { list: { bytes, sha256 }, blobs }
  })

  const exchange: RunExchange = {
    begin: Effect.fnUntraced(function* (prefix, place, { title, unitBytes, needsFolder = false }) {
      const reason = "runs of an ablation are computed in its directory, which runners over HTTP do not see"
      if (place === undefined) return yield* new UnitFailed({ reason })
      if (needsFolder) {
        const reason = `${title} needs runners that see the run's directory: leave --over-http out, or set shards to 1`
        return yield* new UnitFailed({ reason })
      }
      yield* removeOthers(folder, prefix)
      const receiving = { prefix: at(sentPrefix(prefix)) }
      // It was digested while it came.
      const received = ({ sha256 }: FileRecord) => {
        const path = receivedPath(receiving, sha256)
        const detail = "no runner has sent it"
        return existsSync(path) ? Effect.succeed(path) : Effect.fail(new SavedFileDamaged({ file: path, detail }))
      }
      const own = { written: at, nameOf: (name: string) => fileName(prefix, name), others: received }
      const { files, records } = notedFiles(own)
      const { list, blobs } = yield* Effect.provideContext(listed(prefix, place), services)
      let units = 0
      return {
        files,
        given: Effect.gen(function* () {
          units++
          const written = records.map(({ file, ...record }) => ({ ...record, path: at(file) }))
          yield* thread.offer({
            blobs: [...blobs, ...written],
            receiving: { ...receiving, most: perUnit * units, bytes: mostBytes(records, unitBytes) }
          })
          return { files: [...records], source: { url: thread.url, ...token, list } }
        }),
        arrived: (found) => Effect.forEach(found, received, { discard: true })
      }
    }),
    end: removeOthers(folder),
    // They name an address, and perhaps a token, that are no more.
    answersEarlier: false
  }
  return exchange
})
