/**
 * Files by the digest of their bytes, over HTTP: GET /blobs/SHA256 of those that the run offers, whole or from a byte on, and PUT
 * /blobs/SHA256 of what runners computed. Every request proves that it knows the token. No text of a request becomes a path.
 */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { AtomicFile } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Stream from "effect/Stream"
import { ListenRefused } from "../Errors.ts"
import type { Blob, Offer, Receiving } from "./BlobRpcs.ts"
import { isAuthorized } from "./token.ts"

const said = (status: number, text: string, headers: { readonly [name: string]: string } = {}) =>
  HttpServerResponse.text(`${text}\n`, { status, headers })

/** Bytes of a file that are read at once. */
const chunkSize = 2 ** 18

/** The byte that a request begins with; undefined for what is no such request. */
const firstByte = (range: string | undefined): number | undefined =>
  range === undefined ? 0 : /^bytes=\d{1,15}-$/.test(range) ? Number(range.slice(6, -1)) : undefined

const give = Effect.fnUntraced(function* ({ path, bytes }: Blob, range: string | undefined) {
  const offset = firstByte(range)
  if (offset === undefined || (offset > 0 && offset >= bytes)) {
    return said(416, `it has ${bytes} bytes`, { "content-range": `bytes */${bytes}` })
  }
  const fs = yield* FileSystem.FileSystem
  const status = offset === 0 ? 200 : 206
  const headers: { [name: string]: string } = { "cache-control": "no-store" }
  if (offset > 0) headers["content-range"] = `bytes ${offset}-${bytes - 1}/${bytes}`
  return HttpServerResponse.stream(fs.stream(path, { offset, chunkSize }), {
    ...{ status, headers },
    contentLength: bytes - offset,
    contentType: "application/octet-stream"
  })
})

/** The place of what was received under a digest. */
export const receivedPath = ({ prefix }: Pick<Receiving, "prefix">, sha256: string): string =>
  `${prefix}${sha256}.safetensors`

/** Takes files that are whole, and have the digest that they are sent under. */
const makeReceiver = () => {
  /** Digests whose bytes are coming. */
  const coming = new Set<string>()
  let receiving: Receiving | undefined
  let count = 0
  const write = Effect.fnUntraced(function* (
    { stream }: HttpServerRequest.HttpServerRequest,
    path: string,
    sha256: string
  ) {
    const file = yield* AtomicFile.make(path)
    yield* Stream.runForEach(stream, file.append)
    const written = yield* file.seal
    if (written.sha256 !== sha256) return said(422, `what came has the SHA-256 ${written.sha256}`)
    yield* file.publish
    count++
    return said(201, "stored")
  }, Effect.scoped)

  const take = Effect.fnUntraced(function* (
    request: HttpServerRequest.HttpServerRequest,
    sha256: string,
    bytes: number | undefined
  ) {
    if (receiving === undefined) return said(409, "nothing is waited for")
    if (bytes === undefined) return said(411, "content-length is missing")
    if (bytes > receiving.bytes) return said(413, `it has ${bytes} bytes, at most ${receiving.bytes} are taken`)
    const path = receivedPath(receiving, sha256)
    if (yield* (yield* FileSystem.FileSystem).exists(path)) return said(200, "it is there")
    if (coming.has(sha256)) return said(409, "it is coming")
    if (count + coming.size >= receiving.most) return said(429, `${receiving.most} files are there, none more is taken`)
    coming.add(sha256)
    return yield* Effect.ensuring(
      write(request, path, sha256),
      Effect.sync(() => coming.delete(sha256))
    )
  })
  const expect = (next: Receiving) => {
    if (next.prefix !== receiving?.prefix) count = 0
    receiving = next
  }
  return { take, expect }
}

/** Bytes of a request's body as it says them; undefined where it does not. */
const lengthOf = ({ method, headers }: HttpServerRequest.HttpServerRequest): number | undefined => {
  if (method === "GET") return 0
  const length = headers["content-length"] ?? ""
  return /^\d{1,15}$/.test(length) ? Number(length) : undefined
}

/** What is served under a token: an application, and what changes it. */
export const makeBlobs = (token: string) => {
  const receiver = makeReceiver()
  let blobs: ReadonlyMap<string, Blob> = new Map()
  const application = Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const { method, url, headers } = request
    const bytes = lengthOf(request)
    const signed = { method, path: url, bytes: bytes ?? 0 }
    if (!isAuthorized(token, signed, headers["authorization"])) {
      return said(401, "the request is not signed with this run's token", { "www-authenticate": "SpeedQ" })
    }
    const sha256 = /^\/blobs\/([0-9a-f]{64})$/.exec(url)?.[1]
    if (sha256 === undefined) return said(404, "only /blobs/SHA256 is served")
    if (method === "PUT") return yield* receiver.take(request, sha256, bytes)
    if (method !== "GET") return said(405, "only GET and PUT are served", { allow: "GET, PUT" })
    const blob = blobs.get(sha256)
    return blob === undefined ? said(404, "there is no such file now") : yield* give(blob, headers["range"])
  }).pipe(Effect.catchCause(() => Effect.succeed(said(500, "the run cannot read or write the file"))))
  const offer = ({ blobs: offered, receiving }: Offer) => {
    blobs = new Map(offered.map((blob) => [blob.sha256, blob]))
    receiver.expect(receiving)
  }
  return { application, offer }
}

/** A connection on which nothing has come or gone for so long is cut. */
const idleMilliseconds = 120_000

const newServer = () => {
  // A file may take long; what says which one does not.
  const server = createServer({ requestTimeout: 0, headersTimeout: 10_000, maxHeaderSize: 8192 })
  server.timeout = idleMilliseconds
  server.maxConnections = 1024
  return server
}

/** Serves an application for the life of the scope, and gives the port. Fails with ListenRefused. */
export const serveBlobs = Effect.fn("serveBlobs")(function* (
  { host, port }: { readonly host: string; readonly port: number },
  { application }: ReturnType<typeof makeBlobs>
) {
  const listening = NodeHttpServer.make(newServer, { host, port, gracefulShutdownTimeout: 0 })
  const server = yield* Effect.mapError(listening, ({ cause }) => {
    const code = (cause as NodeJS.ErrnoException).code
    const reason = code === "EADDRINUSE" ? "the port is taken" : `it cannot be listened on: ${cause}`
    return new ListenRefused({
      listen: `${host}:${port}`,
      reason,
      fix: "name an address of this machine, and a free port or 0"
    })
  })
  yield* server.serve(application)
  const { address } = server
  return "port" in address ? Number(address.port) : port
})
