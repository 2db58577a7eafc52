/** A model as the evaluation asks it: images and a prompt in, an answer out. */
import { Answerer, AnswerFailed, type AnswerRequest } from "@speedq/evaluation"
import { Random } from "@speedq/tensors"
import {
  type AnsweringModel,
  answer,
  answerTogether,
  greedy,
  imageTiles,
  nucleus,
  resize,
  type Tiles
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"

/** Enlarges twofold, bilinear: what the evaluation of MMMU does to a question's first image. */
const doubled = (image: AnswerRequest["images"][number]) => resize(image, 2 * image.width, 2 * image.height, "bilinear")

/** Tiles of every image of a request, as the model sees them. */
export const tilesOf = (
  { directory }: AnsweringModel,
  { images, maxTiles, upscaleFirst2x }: AnswerRequest
): readonly Tiles[] =>
  images.map((image, i) => imageTiles(upscaleFirst2x && i === 0 ? doubled(image) : image, directory.image, maxTiles))

const failed = (error: { readonly message: string }) => new AnswerFailed({ reason: error.message })

/** The answer to one request. */
const answerAlone = (model: AnsweringModel, request: AnswerRequest): Effect.Effect<string, AnswerFailed> => {
  const { index, prompt, generation } = request
  const { temperature, topP } = generation
  return answer(model, {
    question: prompt,
    images: tilesOf(model, request),
    maxNewTokens: generation.maxNewTokens,
    sampler: generation.sample ? nucleus({ temperature, topP, random: Random.make(0, index) }) : greedy
  }).pipe(Effect.mapError(failed))
}

/** The answers to several requests, in their order, the same as alone; those that take the most likely tokens go together. */
export const answerRequests = Effect.fnUntraced(function* (model: AnsweringModel, requests: readonly AnswerRequest[]) {
  const joint = requests.filter(({ generation }) => !generation.sample)
  const together = yield* answerTogether(
    model,
    joint.map((request) => ({
      question: request.prompt,
      images: tilesOf(model, request),
      maxNewTokens: request.generation.maxNewTokens
    }))
  ).pipe(Effect.mapError(failed))
  const given = new Map(joint.map((request, at) => [request, together[at]!]))
  return yield* Effect.forEach(requests, (request) => {
    const known = given.get(request)
    return known === undefined ? answerAlone(model, request) : Effect.succeed(known)
  })
})

/** Answers with `model`; `identity` names its weights, so that predictions of two models are never mixed. */
export const modelAnswerer = (model: AnsweringModel, identity: string): (typeof Answerer)["Service"] =>
  Answerer.of({
    model: identity,
    answer: (request) => answerAlone(model, request)
  })
