/** Files over HTTP: only what is offered, only with the token, whole and with their digest, also over a connection that is cut. */
import { createHash, randomBytes } from "node:crypto"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { type IncomingMessage, type OutgoingHttpHeaders, request as send } from "node:http"
import { type AddressInfo, connect, createServer, type Server } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import * as NodeServices from "@effect/platform-node/NodeServices"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { type BlobAddress, BlobPatience, type BlobRecord, fetchBlob, sendBlob } from "../src/blobs/blobClient.ts"
import { makeBlobs, serveBlobs } from "../src/blobs/blobServer.ts"
import { authorizationOf } from "../src/blobs/token.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-blobs-"))
const scope = Scope.makeUnsafe()
const token = "a token of the tests"
const most = 3
const limit = 2 ** 21

const digestOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex")
const blob = randomBytes(2 ** 20)
const record: BlobRecord = { bytes: blob.length, sha256: digestOf(blob) }
const offered = join(root, "offered")
/** A folder of a test's own. */
const folder = (name: string) => mkdtempSync(join(root, `${name}-`))

const blobs = makeBlobs(token)
const receiveIn = (place: string) => {
  const receiving = { prefix: join(place, "sums-"), most, bytes: limit }
  blobs.offer({ blobs: [{ ...record, path: offered }], receiving })
}
let port = 0
beforeAll(async () => {
  writeFileSync(offered, blob)
  port = await Effect.runPromise(
    Scope.provide(serveBlobs({ host: "127.0.0.1", port: 0 }, blobs), scope).pipe(Effect.provide(NodeServices.layer))
  )
  receiveIn(folder("none"))
})
const proxies: Server[] = []
afterAll(async () => {
  for (const proxy of proxies) proxy.close()
  await Effect.runPromise(Scope.close(scope, Exit.void))
  rmSync(root, { recursive: true, force: true })
})

const addressAt = (at: number): BlobAddress => ({ url: `http://127.0.0.1:${at}`, token })

/** A request as somebody writes it by hand. */
const ask = (method: string, path: string, headers: OutgoingHttpHeaders = {}, body?: Uint8Array) =>
  new Promise<{ readonly status: number; readonly body: string; readonly headers: IncomingMessage["headers"] }>(
    (resolve, reject) => {
      const request = send({ host: "127.0.0.1", port, method, path, headers, agent: false }, (response) => {
        text(response).then(
          (body) => resolve({ status: response.statusCode!, body, headers: response.headers }),
          reject
        )
      })
      request.once("error", reject)
      request.end(body)
    }
  )
const signed = (method: string, path: string, bytes = 0, by = token) => ({
  authorization: authorizationOf(by, { method, path, bytes })
})
const pathOf = (sha256: string) => `/blobs/${sha256}`

/** Runs a client that does not wait long. */
const client = <A, E>(effect: Effect.Effect<A, E>) =>
  Effect.runPromise(
    effect.pipe(Effect.provideService(BlobPatience, { times: 4, milliseconds: 5, idleMilliseconds: 2000 }))
  )

describe("the blob service", () => {
  it("gives nothing to whoever does not know the token", async () => {
    const path = pathOf(record.sha256)
    const others: OutgoingHttpHeaders[] = [
      {},
      { authorization: `Bearer ${token}` },
      { authorization: `SpeedQ ${token}` },
      signed("GET", path, 0, "another token of tests"),
      signed("GET", pathOf(digestOf(Buffer.from("other")))),
      signed("PUT", path)
    ]
    for (const headers of others) {
      const { status, body } = await ask("GET", path, headers)
      assert.strictEqual(status, 401)
      assert.notInclude(body, token)
    }
    // It tells nothing of what is there, either.
    for (const other of ["/", "/blobs", pathOf("0".repeat(64))])
      assert.strictEqual((await ask("GET", other)).status, 401)
  })

  it("serves by digest alone: no list, no path, no other method", async () => {
    assert.strictEqual((await ask("GET", pathOf(record.sha256), signed("GET", pathOf(record.sha256)))).status, 200)
    const paths = [
      ...["/", "/blobs/", "/blobs", "/offered", `/${record.sha256}`, `${pathOf(record.sha256)}/..`],
      ...["/blobs/../offered", "/blobs/..%2Foffered", `/blobs//${record.sha256}`, `/blobs/${"g".repeat(64)}`],
      ...[`/blobs/${record.sha256.toUpperCase()}`, pathOf("0".repeat(64)), `/blobs/${encodeURIComponent(offered)}`]
    ]
    for (const path of paths) assert.strictEqual((await ask("GET", path, signed("GET", path))).status, 404, path)
    for (const method of ["POST", "DELETE"]) {
      const path = pathOf(record.sha256)
      assert.strictEqual((await ask(method, path, { ...signed(method, path), "content-length": 0 })).status, 405)
    }
  })

  it("gives the rest of a file from a byte on", async () => {
    const path = pathOf(record.sha256)
    const rest = await ask("GET", path, { ...signed("GET", path), range: `bytes=${blob.length - 10}-` })
    assert.strictEqual(rest.status, 206)
    assert.strictEqual(rest.headers["content-length"], "10")
    assert.strictEqual(rest.headers["content-range"], `bytes ${blob.length - 10}-${blob.length - 1}/${blob.length}`)
    for (const range of [`bytes=${blob.length}-`, "bytes=0-5", "bytes=-5", "lines=1-"]) {
      assert.strictEqual((await ask("GET", path, { ...signed("GET", path), range })).status, 416, range)
    }
  })

  it("takes what has the digest that it is sent under, whole or not at all", async () => {
    const place = folder("received")
    receiveIn(place)
    const put = (bytes: Uint8Array, sha256 = digestOf(bytes), length = bytes.length) =>
      ask("PUT", pathOf(sha256), { ...signed("PUT", pathOf(sha256), length), "content-length": length }, bytes)
    const sums = randomBytes(3000)
    assert.strictEqual((await put(sums)).status, 201)
    assert.strictEqual((await put(sums)).status, 200)
    const wrong = await put(sums, record.sha256)
    assert.strictEqual(wrong.status, 422)
    assert.include(wrong.body, digestOf(sums))
    assert.deepStrictEqual(readdirSync(place), [`sums-${digestOf(sums)}.safetensors`])
    assert.deepStrictEqual(readFileSync(join(place, `sums-${digestOf(sums)}.safetensors`)), sums)

    const unsized = await ask("PUT", pathOf(digestOf(sums)), {
      ...signed("PUT", pathOf(digestOf(sums))),
      "transfer-encoding": "chunked"
    })
    assert.strictEqual(unsized.status, 411)
    const path = pathOf(record.sha256)
    const large = { ...signed("PUT", path, limit + 1), "content-length": limit + 1, expect: "100-continue" }
    assert.strictEqual((await ask("PUT", path, large)).status, 413)
    for (const each of ["b", "c"]) assert.strictEqual((await put(Buffer.from(each))).status, 201)
    assert.strictEqual((await put(Buffer.from("d"))).status, 429)
    assert.strictEqual(readdirSync(place).length, most)

    // A sender that goes away in the middle leaves nothing.
    receiveIn(place.replace(/-[^-]*$/, "-"))
    const next = folder("cut")
    receiveIn(next)
    const headers = `Authorization: ${signed("PUT", path, 1000).authorization}\r\nContent-Length: 1000`
    await new Promise<void>((resolve) => {
      const socket = connect(port, "127.0.0.1", () => {
        socket.write(`PUT ${path} HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n${"x".repeat(500)}`, () => socket.destroy())
      })
      socket.once("close", () => resolve())
    })
    await client(sendBlob(addressAt(port), record, offered))
    assert.deepStrictEqual(readdirSync(next), [`sums-${record.sha256}.safetensors`])
  })

  it("refuses headers that are too long", async () => {
    assert.strictEqual((await ask("GET", "/", { "x-long": "x".repeat(9000) })).status, 431)
  })
})

/** A way to the service that gives up each connection after so many bytes from there; undefined lets all through. */
const proxyTo = async (bytesOf: (connection: number) => number | undefined): Promise<number> => {
  let connections = 0
  const proxy = createServer((socket) => {
    const most = bytesOf(connections++)
    let passed = 0
    const server = connect(port, "127.0.0.1")
    const end = () => {
      socket.destroy()
      server.destroy()
    }
    for (const side of [socket, server]) side.on("error", end).on("close", end)
    socket.pipe(server)
    server.on("data", (data: Buffer) => {
      if (most === undefined || passed + data.length <= most) {
        passed += data.length
        socket.write(data)
        return
      }
      socket.end(data.subarray(0, most - passed), end)
    })
  })
  proxies.push(proxy)
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", () => resolve()))
  return (proxy.address() as AddressInfo).port
}

describe("a runner", () => {
  it("goes on where a connection was cut in the middle of a file", async () => {
    let connections = 0
    const cut = await proxyTo((connection) => {
      connections = connection + 1
      return connection < 3 ? 300_000 : undefined
    })
    const target = join(folder("resumed"), "blob")
    await client(fetchBlob(addressAt(cut), record, target))
    assert.isTrue(readFileSync(target).equals(blob))
    // A file of 1 MiB in parts of less than 300 kB: what had come did not come again.
    assert.strictEqual(connections, 4)
  })

  it("gives up where connections are cut again and again, and leaves nothing", async () => {
    let connections = 0
    const cut = await proxyTo((connection) => {
      connections = connection + 1
      return 10
    })
    const place = folder("given-up")
    const error = await client(Effect.flip(fetchBlob(addressAt(cut), record, join(place, "blob"))))
    assert.match(error.message, /^the run's files at http:\/\/127\.0\.0\.1:\d+: /)
    assert.strictEqual(connections, 5)
    assert.deepStrictEqual(readdirSync(place), [])
  })

  it("sends again what was cut on the way", async () => {
    const place = folder("sent")
    receiveIn(place)
    // The first connection ends before the run's answer.
    const cut = await proxyTo((connection) => (connection === 0 ? 3 : undefined))
    await client(sendBlob(addressAt(cut), record, offered))
    assert.isTrue(readFileSync(join(place, `sums-${record.sha256}.safetensors`)).equals(blob))
  })

  it("takes no file with other bytes than the run said, and asks no second time", async () => {
    const other = { bytes: 5, sha256: digestOf(Buffer.from("right")) }
    const path = join(root, "changed")
    writeFileSync(path, "wrong")
    blobs.offer({ blobs: [{ ...other, path }], receiving: { prefix: join(root, "x-"), most, bytes: limit } })
    const target = join(folder("changed"), "blob")
    const error = await client(Effect.flip(fetchBlob(addressAt(port), other, target)))
    assert.include(error.message, `what came has the SHA-256 ${digestOf(Buffer.from("wrong"))}, not ${other.sha256}`)
    assert.isFalse(existsSync(target))
  })

  it("says what the run answers", async () => {
    receiveIn(folder("answers"))
    const stranger = { ...addressAt(port), token: "another token of tests" }
    const target = join(root, "never")
    const unknown = await client(Effect.flip(fetchBlob(stranger, record, target)))
    assert.match(unknown.message, /: 401 the request is not signed with this run's token$/)
    const refused = await client(Effect.flip(sendBlob(stranger, record, offered)))
    assert.match(refused.message, /: 401 the request is not signed/)
    const absent = { bytes: 1, sha256: "0".repeat(64) }
    const gone = await client(Effect.flip(fetchBlob(addressAt(port), absent, target)))
    assert.match(gone.message, /: 404 there is no such file now$/)
    assert.isFalse(existsSync(target))
  })
})
