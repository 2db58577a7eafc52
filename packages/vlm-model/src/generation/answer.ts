/** Answers a question about pictures: prompt, visual tokens, generation, text as it comes. */
import { noGrad, reshape, scope } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { encodeSequence, type Rendered } from "../conversation/rendered.ts"
import { PromptInvalid } from "../Errors.ts"
import { ImageTokenMismatch, LogitsNotFinite, PromptTooLong } from "../model/ModelErrors.ts"
import { messageEnd } from "../tokenizer/SpecialTokens.ts"
import { generateTokens } from "./generateTokens.ts"
import { type AnsweringModel, type Asked, promptEmbeddings, renderQuestion } from "./prompts.ts"
import type { Sampler } from "./sampling.ts"

export interface Question extends Asked {
  readonly maxNewTokens: number
  readonly sampler: Sampler
}

/** What is wrong with a question, or with the model. */
export type AnswerError = PromptInvalid | ImageTokenMismatch | PromptTooLong | LogitsNotFinite

export const isAnswerError = (error: unknown): error is AnswerError =>
  [PromptInvalid, ImageTokenMismatch, PromptTooLong, LogitsNotFinite].some((type) => error instanceof type)

/** Pieces of the answer's text as they are generated, specials left out, never a part of a character. */
export const streamAnswer = (model: AnsweringModel, question: Question): Stream.Stream<string, AnswerError> => {
  const { backend, directory, weights } = model
  const generated = (rendered: Rendered): Stream.Stream<string, AnswerError> =>
    Stream.fromAsyncIterable(pieces(rendered), (error) => error).pipe(
      Stream.catch((error) => (isAnswerError(error) ? Stream.fail(error) : Stream.die(error)))
    )
  return Stream.unwrap(Effect.map(renderQuestion(directory, question), generated))
  async function* pieces(rendered: Rendered): AsyncGenerator<string> {
    const ids = encodeSequence(directory.tokenizer, rendered)
    const prompt = noGrad(() =>
      scope(() => {
        const embeddings = promptEmbeddings(model, [{ ids, images: question.images }])
        return reshape(embeddings, [1, ids.length, embeddings.shape[2]!])
      })
    )
    const decoder = directory.tokenizer.stream({ skipSpecial: true })
    try {
      const tokens = generateTokens({
        backend,
        config: directory.config,
        weights,
        prompt,
        maxNewTokens: question.maxNewTokens,
        stopIds: new Set([directory.tokens.messageEnd, directory.tokens.endOfText]),
        sampler: question.sampler
      })
      for await (const id of tokens) {
        const piece = decoder.push(id)
        if (piece !== "") yield piece
      }
      const rest = decoder.flush()
      if (rest !== "") yield rest
    } finally {
      prompt.release()
    }
  }
}

/** A text up to a spelled-out end of message, white space around it stripped. */
export const trimmedAnswer = (text: string): string => text.split(messageEnd, 1)[0]!.trim()

/** The whole answer. */
export const answer = (model: AnsweringModel, question: Question): Effect.Effect<string, AnswerError> =>
  Stream.runFold(
    streamAnswer(model, question),
    () => "",
    (text, piece) => text + piece
  ).pipe(Effect.map(trimmedAnswer))
