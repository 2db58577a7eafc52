/** Serves the model of a directory until it is interrupted. */
import { verifyExport } from "@speedq/exports"
import type { Activations, ArithmeticChoice, BackendName } from "@speedq/tensors"
import { isWebFolder, joinModel, webFiles } from "@speedq/web"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import { chatting, openChatModel } from "../models/chatModel.ts"
import { modelName } from "../models/modelName.ts"
import { serveChat } from "./chatServer.ts"

export interface ServeRequest {
  readonly model: string
  /** 0 takes a free one. */
  readonly port: number
  /** Longest answer where a request says none. */
  readonly maxNewTokens: number
  readonly maxTiles: number | undefined
  readonly maxPixels: number | undefined
  readonly verify: boolean
  readonly arithmetic: ArithmeticChoice
  readonly activations: Activations
}

/** Requests say it themselves; nothing is sampled where they do not. */
const unsampled = { temperature: undefined, topP: 1, seed: 0 }

/** The packed model of a page, put together for the life of the scope. */
const joined = Effect.fnUntraced(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const place = yield* Effect.orDie(fs.makeTempDirectoryScoped({ prefix: "speedq-serve-" }))
  yield* joinModel(directory, place)
  return place
})

/** Tells where it serves what, and goes on. */
export const serveModel = Effect.fn("serveModel")(
  function* (request: ServeRequest, _backend: BackendName, tell: (text: string) => Effect.Effect<void>) {
    const hasPage = isWebFolder(request.model)
    if (hasPage && request.verify) yield* verifyExport(request.model)
    const opened = hasPage ? { model: yield* joined(request.model), verify: false } : {}
    const served = yield* openChatModel({ ...request, ...unsampled, ...opened })
    const name = yield* modelName(hasPage ? request.model : served.model)
    const { maxNewTokens, maxPixels, port } = request
    const files = hasPage ? webFiles(request.model) : undefined
    const address = yield* serveChat({ served, name, maxNewTokens, maxPixels }, port, files)
    const page = hasPage ? `; its page is at ${address.replace("127.0.0.1", "localhost")}/` : ""
    yield* tell(`${name} on ${served.backend} answers at ${address}/v1/chat/completions${page}; Ctrl-C ends it`)
    return yield* Effect.never
  },
  (self, request, backend) => self.pipe(Effect.scoped, Effect.provide(chatting({ ...request, ...unsampled }, backend)))
)
