/** Parts of a model from the server of the page. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { indexName, ModelIndex, type ModelPart } from "../../model/ModelIndex.ts"
import { DownloadCut, DownloadFailed, NotAModel } from "../Errors.ts"

const decode = Schema.decodeUnknownEffect(ModelIndex)

const get = (url: string): Effect.Effect<Response, DownloadFailed> =>
  Effect.tryPromise({
    // The browser's own cache may hold a file of a model that the server has replaced since.
    try: (signal) => fetch(url, { cache: "no-cache", signal }),
    catch: (error) => new DownloadFailed({ url, reason: String(error) })
  }).pipe(
    Effect.flatMap((response) =>
      response.ok
        ? Effect.succeed(response)
        : Effect.fail(new DownloadFailed({ url, reason: `the server answers ${response.status}` }))
    )
  )

/** The index of the model beside the page; undefined where the server has none. Fails with DownloadFailed, NotAModel. */
export const downloadIndex = Effect.fnUntraced(function* (folder: string) {
  const url = folder + indexName
  const response = yield* get(url).pipe(
    Effect.catchIf(
      ({ reason }) => reason.endsWith(" 404"),
      () => Effect.succeed(undefined)
    )
  )
  if (response === undefined) return undefined
  const notAnIndex = (error: unknown) =>
    new NotAModel({ files: [url], reason: `no index of a model: ${String(error)}` })
  const json: unknown = yield* Effect.tryPromise({ try: () => response.json(), catch: notAnIndex })
  return yield* Effect.mapError(decode(json), notAnIndex)
})

/** The bytes of a part; `received` is told of every piece. Fails with DownloadFailed, DownloadCut. */
export const downloadPart = Effect.fnUntraced(function* (
  folder: string,
  { file, bytes }: ModelPart,
  received: (bytes: number) => void
) {
  const response = yield* get(folder + file)
  const all = new Uint8Array(bytes)
  let at = 0
  const cut = () => new DownloadCut({ file, expected: bytes, received: at })
  const read = async (signal: AbortSignal): Promise<void> => {
    const reader = response.body!.getReader()
    signal.onabort = () => void reader.cancel()
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
      if (at + piece.value.length > bytes) throw new Error("more bytes than the index says")
      all.set(piece.value, at)
      at += piece.value.length
      received(piece.value.length)
    }
  }
  yield* Effect.tryPromise({ try: read, catch: cut })
  if (at !== bytes) return yield* cut()
  return all
})
