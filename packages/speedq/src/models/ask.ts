/** One question about pictures, its answer as it comes. */

import { monotonicMillis } from "@speedq/pipeline"
import { Compute, openAnsweringModel } from "@speedq/stages"
import { type ArithmeticChoice, type BackendName, Random } from "@speedq/tensors"
import { decodeImage, greedy, imageTiles, nucleus, type RgbImage, streamAnswer } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { refuseRun } from "./refuseRun.ts"

export interface AskRequest {
  readonly model: string
  readonly question: string
  /** Files, in the order in which the question means them. */
  readonly images: readonly string[]
  readonly maxNewTokens: number
  /** Of each image; the model's own number when absent. */
  readonly maxTiles: number | undefined
  /** Pictures with more are refused; Pillow's limit when absent. */
  readonly maxPixels: number | undefined
  /** Greedy when absent. */
  readonly temperature: number | undefined
  readonly topP: number
  readonly seed: number
  /** Compares the files of an export with their digests first; off when absent. */
  readonly verify?: boolean
  /** How products and attention are computed; f32 when absent. */
  readonly arithmetic?: ArithmeticChoice
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
  function* (
    pictures: readonly RgbImage[],
    { model, question, images, maxNewTokens, maxTiles, temperature, topP, seed, verify = false }: AskRequest,
    _backend: BackendName,
    show: (piece: string) => Effect.Effect<void>
  ) {
    const { backend } = yield* Compute
    const answering = yield* openAnsweringModel(model, { verify })
    const settings = answering.directory.image
    const tiled = pictures.map((picture) => imageTiles(picture, settings, maxTiles ?? settings.maxTiles))
    const sampler =
      temperature === undefined ? greedy : nucleus({ temperature, topP, random: Random.make(seed, "chat") })
    const begun = yield* monotonicMillis
    const answer = yield* streamAnswer(answering, { question, images: tiled, maxNewTokens, sampler }).pipe(
      Stream.tap(show),
      Stream.runFold(
        () => "",
        (text, piece) => text + piece
      )
    )
    const answered: Answered = {
      model,
      backend: backend.name,
      question,
      images: images.map((file, index) => ({ file, tiles: tiled[index]!.count })),
      answer: answer.trim(),
      seconds: ((yield* monotonicMillis) - begun) / 1000
    }
    return answered
  },
  (self, _pictures, { arithmetic }, backend) =>
    self.pipe(Effect.scoped, Effect.provide(Compute.layer({ backend, arithmetic })))
)

/**
 * Asks on a backend, and gives every piece of the answer to `show` when it is there. Pictures are read before the model,
 * which takes its time: one that cannot be read is told at once.
 */
export const ask = Effect.fnUntraced(function* (
  request: AskRequest,
  backend: BackendName,
  show: (piece: string) => Effect.Effect<void>
) {
  yield* refuseRun(request.model)
  const limits = request.maxPixels === undefined ? {} : { maxPixels: request.maxPixels }
  const pictures = yield* Effect.forEach(request.images, (file) => decodeImage(file, limits))
  return yield* askAbout(pictures, request, backend, show)
})
