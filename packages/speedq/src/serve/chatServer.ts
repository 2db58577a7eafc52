/**
 * A model over HTTP, by the chat completions API: POST /v1/chat/completions, GET /v1/models, GET /health. It listens on loopback. A page
 * of another origin gets nothing: the host must be loopback, an origin the server's own, a body JSON.
 */
import { createServer } from "node:http"
import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import type { AnswerError } from "@speedq/vlm-model"
import * as ByteSize from "effect/ByteSize"
import * as Effect from "effect/Effect"
import * as HttpIncomingMessage from "effect/http/HttpIncomingMessage"
import * as HttpServer from "effect/http/HttpServer"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Semaphore from "effect/Semaphore"
import * as Stream from "effect/Stream"
import { PortRefused } from "../Errors.ts"
import { RequestRefused, readChatRequest } from "./chatRequest.ts"
import { answerHead, completion, completionChunks, openAnswer, type Serving } from "./completions.ts"
import { type PageFiles, pageFile } from "./pageFile.ts"

const host = "127.0.0.1"

/** Bytes of a request: some photographs in base64. */
const mostBytes = ByteSize.mebibytes(64)

const failure = (status: number, message: string, param: string | null = null, type = "invalid_request_error") =>
  HttpServerResponse.jsonUnsafe({ error: { message, type, param, code: null } }, { status })

const isLoopback = (name: string | undefined): boolean => /^(localhost|127\.0\.0\.1|\[::1\])(:\d+)?$/i.test(name ?? "")

/** Why a request is not looked at; undefined where it is. */
const refusalOf = ({ method, headers }: HttpServerRequest.HttpServerRequest) => {
  const { host: asked, origin, "content-type": type = "" } = headers
  if (!isLoopback(asked)) return failure(403, `the host is ${asked}; ask by 127.0.0.1 or localhost`)
  if (origin !== undefined && origin !== `http://${asked}`) {
    return failure(403, `a page of ${origin} asks; this server answers programs of this machine`)
  }
  const isJson = /^application\/json\b/i.test(type)
  return method === "POST" && !isJson ? failure(415, "the body must be application/json") : undefined
}

const eventStream = (chunks: Stream.Stream<string, AnswerError>) => {
  const told = chunks.pipe(
    Stream.catch((error) =>
      Stream.make(JSON.stringify({ error: { message: error.message, type: "invalid_request_error" } }))
    ),
    Stream.concat(Stream.make("[DONE]")),
    Stream.map((data) => `data: ${data}\n\n`),
    Stream.encodeText
  )
  return HttpServerResponse.stream(told, {
    contentType: "text/event-stream; charset=utf-8",
    headers: { "cache-control": "no-store" }
  })
}

/** One at a time: requests whose pictures are decoded, and questions to the model. */
interface Turns {
  readonly reading: Semaphore.Semaphore
  readonly alone: Semaphore.Semaphore
}

/** Answers one request for a completion. */
const complete = (serving: Serving, { reading, alone }: Turns) =>
  Effect.gen(function* () {
    const incoming = yield* HttpServerRequest.HttpServerRequest
    const body = yield* Effect.mapError(
      incoming.json,
      () => new RequestRefused({ param: null, reason: "the body is no JSON, or longer than 64 MiB" })
    )
    const request = yield* readChatRequest(body)
    const head = answerHead(serving)
    // Pictures take memory while they are decoded: one request at a time.
    const events = yield* reading.withPermit(openAnswer(serving, request))
    if (request.stream === true) {
      // The whole stream holds the permit; a client that leaves gives it back.
      const held = Stream.unwrap(
        Effect.as(
          Effect.acquireRelease(alone.take(1), () => alone.release(1)),
          events
        )
      )
      // An answer waits for no client that does not read: the next question is asked when it is whole.
      return eventStream(completionChunks(head, request, Stream.buffer(held, { capacity: "unbounded" })))
    }
    const all = yield* alone.withPermit(Stream.runCollect(events))
    return HttpServerResponse.jsonUnsafe(completion(head, all))
  }).pipe(
    Effect.catchTag("RequestRefused", ({ message, param }) => Effect.succeed(failure(400, message, param))),
    Effect.catch(({ message }) => Effect.succeed(failure(400, message))),
    Effect.provideService(HttpIncomingMessage.MaxBodySize, mostBytes)
  )

const modelList = ({ name }: Serving) => ({
  object: "list",
  data: [{ id: name, object: "model", created: 0, owned_by: "speedq" }]
})

const application = (serving: Serving, turns: Turns, page: PageFiles) =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    const refusal = refusalOf(request)
    if (refusal !== undefined) return refusal
    const [path] = request.url.split("?")
    const shown = request.method === "GET" ? yield* pageFile(page, path ?? "/") : undefined
    if (shown !== undefined) return shown
    switch (`${request.method} ${path}`) {
      case "GET /health":
        return HttpServerResponse.jsonUnsafe({ status: "ok" })
      case "GET /v1/models":
        return HttpServerResponse.jsonUnsafe(modelList(serving))
      case "POST /v1/chat/completions":
        return yield* complete(serving, turns)
      default:
        return failure(
          404,
          `${request.method} ${path} is not served; POST /v1/chat/completions, GET /v1/models and GET /health are`
        )
    }
  }).pipe(
    Effect.catch(({ message }) => Effect.succeed(failure(500, message, null, "server_error"))),
    // A mistake of ours is told as OpenAI's clients expect it.
    Effect.catchDefect((defect) => Effect.succeed(failure(500, `internal error: ${defect}`, null, "server_error")))
  )

/** Serves a model, and a page, on a port of loopback, 0 for a free one, for the life of the scope; gives the address. Fails with PortRefused. */
export const serveChat = Effect.fn("serveChat")(function* (
  serving: Serving,
  port: number,
  page: PageFiles = new Map()
) {
  const turns: Turns = { reading: yield* Semaphore.make(1), alone: yield* Semaphore.make(1) }
  const listening = NodeHttpServer.make(() => createServer(), { host, port, gracefulShutdownTimeout: "1 second" })
  const server = yield* Effect.mapError(listening, ({ cause }) => {
    const code = (cause as NodeJS.ErrnoException).code
    return new PortRefused({ port, reason: code === "EADDRINUSE" ? "is taken" : `cannot be listened on: ${cause}` })
  })
  yield* server.serve(application(serving, turns, page))
  return HttpServer.formatAddress(server.address)
})
