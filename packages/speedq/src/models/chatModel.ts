/** A model that is ready to be talked to, and how its answers are made. */
import { Compute, openAnsweringModel } from "@speedq/stages"
import { type Activations, type ArithmeticChoice, type BackendName, Random } from "@speedq/tensors"
import { decodeImage, greedy, imageTiles, nucleus, type RgbImage } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { modelOf } from "./modelOf.ts"

export interface ChatRequest {
  /** A directory of a model, or of a run: then its packed export, or its only one. */
  readonly model: string
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
  /** What codes are multiplied by, a token at a time; f32 when absent. */
  readonly activations?: Activations
}

/** Reads a picture as the request limits it. Fails with what `decodeImage` fails with. */
export const readPicture = ({ maxPixels }: Pick<ChatRequest, "maxPixels">, file: string) =>
  decodeImage(file, maxPixels === undefined ? {} : { maxPixels })

/** Opens the model for the life of the scope, which has its backend. */
export const openChatModel = Effect.fn("openChatModel")(function* (request: ChatRequest) {
  const { maxTiles, temperature, topP, seed, verify, activations } = request
  const { backend } = yield* Compute
  const model = yield* modelOf(request.model)
  const answering = yield* openAnsweringModel(model, { verify, activations })
  const settings = answering.directory.image
  const sampler = temperature === undefined ? greedy : nucleus({ temperature, topP, random: Random.make(seed, "chat") })
  return {
    /** Where it is. */
    model,
    backend: backend.name,
    answering,
    sampler,
    tilesOf: (picture: RgbImage) => imageTiles(picture, settings, maxTiles ?? settings.maxTiles)
  }
})

/** Computes for a chat on a backend. */
export const chatting = ({ arithmetic }: ChatRequest, backend: BackendName) => Compute.layer({ backend, arithmetic })
