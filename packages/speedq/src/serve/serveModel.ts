/** Serves the model of a directory until it is interrupted. */
import type { Activations, ArithmeticChoice, BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
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

/** Tells where it serves what, and goes on. */
export const serveModel = Effect.fn("serveModel")(
  function* (request: ServeRequest, _backend: BackendName, tell: (text: string) => Effect.Effect<void>) {
    const served = yield* openChatModel({ ...request, ...unsampled })
    const name = yield* modelName(served.model)
    const { maxNewTokens, maxPixels, port } = request
    const address = yield* serveChat({ served, name, maxNewTokens, maxPixels }, port)
    yield* tell(`${name} on ${served.backend} answers at ${address}/v1/chat/completions; Ctrl-C ends it`)
    return yield* Effect.never
  },
  (self, request, backend) => self.pipe(Effect.scoped, Effect.provide(chatting({ ...request, ...unsampled }, backend)))
)
