/** One question about pictures, its answer as it comes. */
import { monotonicMillis } from "@speedq/pipeline"
import type { BackendName } from "@speedq/tensors"
import { type Preparing, type RgbImage, streamAnswer } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { type ChatRequest, chatting, openChatModel, readPicture } from "./chatModel.ts"
import { modelOf } from "./modelOf.ts"

export interface AskRequest extends ChatRequest {
  readonly question: string
  /** Files, in the order in which the question means them. */
  readonly images: readonly string[]
}

/** Where an answer is shown. */
export interface Shown {
  /** A piece of the answer, when it is there. */
  readonly piece: (text: string) => Effect.Effect<void>
  /** How far the prompt is that comes before it. */
  readonly preparing?: (progress: Preparing) => void
}

export interface Answered {
  readonly model: string
  readonly backend: string
  readonly question: string
  readonly images: readonly { readonly file: string; readonly tiles: number }[]
  readonly answer: string
  /** From the prompt to the last token. */
  readonly seconds: number
}

/** Asks with pictures that are read already. */
const askAbout = Effect.fn("ask")(
  function* (pictures: readonly RgbImage[], request: AskRequest, _backend: BackendName, shown: Shown) {
    const { question, images, maxNewTokens } = request
    const { model, backend, answering, sampler, tilesOf } = yield* openChatModel(request)
    const tiled = pictures.map(tilesOf)
    const begun = yield* monotonicMillis
    const asked = { question, images: tiled, maxNewTokens, sampler }
    const answer = yield* streamAnswer(answering, shown.preparing ? { ...asked, watch: shown.preparing } : asked).pipe(
      Stream.tap(shown.piece),
      Stream.runFold(
        () => "",
        (text, piece) => text + piece
      )
    )
    const answered: Answered = {
      model,
      backend,
      question,
      images: images.map((file, index) => ({ file, tiles: tiled[index]!.count })),
      answer: answer.trim(),
      seconds: ((yield* monotonicMillis) - begun) / 1000
    }
    return answered
  },
  (self, _pictures, request, backend) => self.pipe(Effect.scoped, Effect.provide(chatting(request, backend)))
)

/**
 * Asks on a backend, and gives every piece of the answer to `shown` when it is there. Pictures are read before the model,
 * which takes its time: one that cannot be read is told at once.
 */
export const ask = Effect.fnUntraced(function* (request: AskRequest, backend: BackendName, shown: Shown) {
  yield* modelOf(request.model)
  const pictures = yield* Effect.forEach(request.images, (file) => readPicture(request, file))
  return yield* askAbout(pictures, request, backend, shown)
})
