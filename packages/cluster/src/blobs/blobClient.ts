/** A runner's side of the blob service: files come whole and with their digest or not at all, and a connection that is cut is tried again. */
import { type IncomingMessage, type RequestOptions, request as send } from "node:http"
import { pipeline } from "node:stream"
import { text } from "node:stream/consumers"
import { AtomicFile, type FileFailed, piecesOf } from "@speedq/formats"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { BlobFailed } from "../Errors.ts"
import { authorizationOf } from "./token.ts"

/** Where the blob service of a run is, and the token to ask it with. */
export interface BlobAddress {
  readonly url: string
  readonly token: string
}

/** What a blob must be. */
export interface BlobRecord {
  readonly bytes: number
  readonly sha256: string
}

/** How often a connection is tried again, and how long is waited before the first of these times; twice as long before each next. */
export const BlobPatience = Context.Reference<{
  readonly times: number
  readonly milliseconds: number
  /** A connection on which nothing comes or goes for so long is given up. */
  readonly idleMilliseconds: number
}>("speedq/BlobPatience", { defaultValue: () => ({ times: 5, milliseconds: 250, idleMilliseconds: 60_000 }) })

const cut = (url: string) => (error: unknown) =>
  new BlobFailed({ url, reason: error instanceof Error ? error.message : String(error), mayHeal: true })

/** The answer to a request, for the life of the scope. `body` is a file's path. */
const asked = Effect.fnUntraced(function* (
  { url, token }: BlobAddress,
  {
    method,
    path,
    bytes,
    headers,
    body
  }: {
    readonly method: "GET" | "PUT"
    readonly path: string
    readonly bytes: number
    readonly headers: { readonly [name: string]: string }
    readonly body?: string
  }
) {
  const { idleMilliseconds: timeout } = yield* BlobPatience
  const options: RequestOptions = {
    ...{ method, timeout },
    headers: { ...headers, authorization: authorizationOf(token, { method, path, bytes }) }
  }
  const exchange = Effect.callback<IncomingMessage, BlobFailed>((resume) => {
    const request = send(`${url}${path}`, options)
    const failed = (error: unknown) => resume(Effect.fail(cut(url)(error)))
    request.once("response", (response) => resume(Effect.succeed(response)))
    request.once("timeout", () => request.destroy(new Error(`nothing came or went for ${timeout / 1000} s`)))
    request.on("error", failed)
    if (body === undefined) request.end()
    // Sent when the run has said that it takes it: what is refused does not travel.
    else request.once("continue", () => pipeline(piecesOf(body), request, (error) => error && failed(error)))
    return Effect.sync(() => request.destroy())
  })
  return yield* Effect.acquireRelease(exchange, (response) => Effect.sync(() => response.destroy()))
})

/** Fails with BlobFailed as the run answered: what it will not give or take now, it will not a second later, but for what it calls busy. */
const refusal = Effect.fnUntraced(function* (url: string, response: IncomingMessage) {
  const said = yield* Effect.tryPromise({ try: () => text(response), catch: cut(url) })
  const status = response.statusCode ?? 0
  const reason = `${status} ${said.trim().slice(0, 200)}`
  return yield* new BlobFailed({ url, reason, mayHeal: status === 409 || status >= 500 })
})

/** How an attempt is repeated. What cannot be written on this machine is not. */
const retries = Effect.map(BlobPatience, ({ times, milliseconds }) => ({
  times,
  schedule: Schedule.exponential(milliseconds),
  while: (error: BlobFailed | FileFailed) => error._tag === "BlobFailed" && error.mayHeal
}))

/**
 * Takes a file to `path`; what had come before a cut does not come again. Fails with BlobFailed, and with FileFailed where it cannot be
 * written here.
 */
export const fetchBlob = Effect.fn("fetchBlob")(function* (
  address: BlobAddress,
  { bytes, sha256 }: BlobRecord,
  path: string
) {
  const { url } = address
  const file = yield* AtomicFile.make(path)
  let got = 0
  const rest = Effect.gen(function* () {
    if (got === bytes) return
    const headers: { [name: string]: string } = got === 0 ? {} : { range: `bytes=${got}-` }
    const response = yield* asked(address, { method: "GET", path: `/blobs/${sha256}`, bytes: 0, headers })
    if (response.statusCode !== (got === 0 ? 200 : 206)) return yield* refusal(url, response)
    yield* Stream.fromAsyncIterable<Uint8Array, BlobFailed>(response, cut(url)).pipe(
      Stream.runForEach(
        Effect.fnUntraced(function* (chunk) {
          if (got + chunk.length > bytes) {
            return yield* new BlobFailed({ url, reason: `more than ${bytes} bytes came`, mayHeal: false })
          }
          yield* file.append(chunk)
          got += chunk.length
        })
      )
    )
    if (got < bytes) return yield* cut(url)(new Error(`${got} of ${bytes} bytes came`))
  }).pipe(Effect.scoped)
  yield* Effect.retry(rest, yield* retries)
  const written = yield* file.seal
  if (written.sha256 !== sha256) {
    const reason = `what came has the SHA-256 ${written.sha256}, not ${sha256}`
    return yield* new BlobFailed({ url, reason, mayHeal: false })
  }
  yield* file.publish
}, Effect.scoped)

/** Gives a file to the run. Fails with BlobFailed. */
export const sendBlob = Effect.fn("sendBlob")(function* (
  address: BlobAddress,
  { bytes, sha256 }: BlobRecord,
  path: string
) {
  const headers = { "content-length": String(bytes), expect: "100-continue" }
  const once = Effect.gen(function* () {
    const response = yield* asked(address, { method: "PUT", path: `/blobs/${sha256}`, bytes, headers, body: path })
    if (response.statusCode === 200 || response.statusCode === 201) return
    return yield* refusal(address.url, response)
  }).pipe(Effect.scoped)
  yield* Effect.retry(once, yield* retries)
})
