/**
 * How much the model's answer depends on a block's output: the gradient of the answer's log-likelihood there, for Fisher
 * weighting (BRECQ, arXiv:2102.05426 §3.2; docs/method.md, "Block reconstruction"). The answer is the full-precision model's own,
 * drawn from its distribution: the mean of squared gradients is then the diagonal of the Fisher information, and images need no
 * texts.
 */
import { crossEntropy, vocabularyLoss } from "@speedq/distillation"
import type { SourceModel } from "@speedq/exports"
import { parameterOf } from "@speedq/formats"
import {
  type Backend,
  checkpoint,
  ignoredLabel,
  noGrad,
  Random,
  scale,
  scope,
  type Tensor,
  valueAndGrad
} from "@speedq/tensors"
import {
  blocksUsed,
  encodeSequence,
  generateTokens,
  generationPrompt,
  headLayerOf,
  nucleus,
  type Sampler,
  shuffledFeatures,
  tokensPerTile,
  visionBlock,
  visionBlockName,
  weightsFrom
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { BlockWeighing } from "../blocks/BlockSession.ts"
import { modelUnreadable } from "../Errors.ts"
import { type DecoderBatch, hiddenStates, inputEmbeddings } from "../training/hiddenStates.ts"

/** What is asked about every tile: any picture has an answer to it. */
const question = "Describe the image."

/** Tokens that an answer has at most. */
export const answerTokens = 32

interface FisherOptions {
  readonly backend: Backend
  readonly model: SourceModel
  readonly seed: number
}

/** One sequence without padding, its last `labelled` tokens the labels. */
const sequenceOf = (ids: Int32Array, labelled: number): DecoderBatch & { readonly labels: Int32Array } => ({
  size: 1,
  length: ids.length,
  inputIds: ids,
  labels: ids.map((id, at) => (at < ids.length - labelled ? ignoredLabel : id)),
  attentionMask: new Uint8Array(ids.length).fill(1),
  positionIds: ids.map((_, at) => at)
})

/** Fails with ModelUnreadable when the model's tokenizer lacks what a question needs. */
export const makeFisherGradient = Effect.fnUntraced(function* ({ backend, model, seed }: FisherOptions) {
  const { directory } = model
  const { config, tokenizer, tokens } = directory
  const weights = weightsFrom(model.weights)
  const prompt = yield* generationPrompt({
    question,
    tilesPerImage: [1],
    tokensPerTile: tokensPerTile(config),
    systemMessage: config.system_message
  }).pipe(Effect.mapError(modelUnreadable(directory.directory)))
  const promptIds = encodeSequence(tokenizer, prompt)

  /** Features [1, N / 4, 4 C] out of a block's output. Of each block after it only the input is kept for the backward pass. */
  const featuresAfter = (index: number, output: Tensor): Tensor => {
    let hidden = output
    for (let next = index + 1; next < blocksUsed(config); next++) {
      hidden = checkpoint(({ x }) => visionBlock(weights, config.vision_config, visionBlockName(next), x!), {
        x: hidden
      })
    }
    return shuffledFeatures(config, hidden)
  }

  /** The model's own answer to the question, its end included where it comes in time. */
  const draw = async (tile: number, index: number, output: Tensor): Promise<readonly number[]> => {
    const embeddings = noGrad(() =>
      scope(() => {
        const features = featuresAfter(index, output)
        return inputEmbeddings({ backend, directory, weights, batch: sequenceOf(promptIds, 0), features })
      })
    )
    const stopIds = new Set([tokens.messageEnd, tokens.endOfText])
    const drawn = nucleus({ temperature: 1, topP: 1, random: Random.make(seed, `answer about tile ${tile}`) })
    // An answer shows no picture: read back, its token would ask for features that no tile has.
    const sampler: Sampler = (logits) => drawn(logits.with(tokens.imageContext, Number.NEGATIVE_INFINITY))
    const ids: number[] = []
    try {
      const request = { backend, config, weights, prompt: embeddings, maxNewTokens: answerTokens, stopIds, sampler }
      for await (const id of generateTokens(request)) ids.push(id)
    } finally {
      embeddings.release()
    }
    return ids.length < answerTokens ? [...ids, tokens.messageEnd] : ids
  }

  const answers = new Map<number, readonly number[]>()
  const answerAbout = async (tile: number, index: number, output: Tensor): Promise<readonly number[]> => {
    // Every block's output leads to the same features, and so to the same answer.
    const answer = answers.get(tile) ?? (await draw(tile, index, output))
    answers.set(tile, answer)
    return answer
  }

  const gradient: BlockWeighing = async (tile, index, output) => {
    const answer = await answerAbout(tile, index, output)
    const batch = sequenceOf(Int32Array.from([...promptIds, ...answer]), answer.length)
    const labels = { values: batch.labels, batch: 1, length: batch.length }
    const rematerialize = { parameters: {}, weightsOf: () => weights }
    const { output: found } = scope(
      () =>
        valueAndGrad(({ output: x }: { readonly output: Tensor }) => {
          const features = featuresAfter(index, x)
          const hidden = hiddenStates({ backend, directory, weights, batch, features, rematerialize })
          const student = { hidden, weight: weights.get(parameterOf(headLayerOf(config.llm_config))) }
          const { loss } = vocabularyLoss({ losses: [crossEntropy()], labels, student })
          // The cross entropy is a mean over the answer's tokens, the log-likelihood of the answer their sum.
          return { loss: scale(loss, answer.length), auxiliary: undefined }
        })({ output }).gradients
    )
    const values = (await found.read()) as Float32Array
    found.release()
    return values
  }
  return gradient
})
