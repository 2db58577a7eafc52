/** Answers a question about pictures: prompt, visual tokens, generation, text as it comes. */
import { reshape } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { encodeSequence } from "../conversation/rendered.ts"
import { PromptInvalid } from "../Errors.ts"
import { inTurns } from "../internal/inSteps.ts"
import type { KeyValueCache } from "../model/KeyValueCache.ts"
import { ImageTokenMismatch, LogitsNotFinite, PromptTooLong } from "../model/ModelErrors.ts"
import { messageEnd } from "../tokenizer/SpecialTokens.ts"
import { contextRoom } from "./contextRoom.ts"
import { generateInTurns } from "./generateTokens.ts"
import {
  type AnsweringModel,
  type Asked,
  type Preparing,
  type Prompt,
  promptEmbeddings,
  renderQuestion
} from "./prompts.ts"
import type { Sampler } from "./sampling.ts"
import { takeTurns } from "./takeTurns.ts"

export interface Question extends Asked {
  readonly maxNewTokens: number
  readonly sampler: Sampler
  /** Told before each step of reading the prompt, which takes its time before the first token. */
  readonly watch?: (progress: Preparing) => void
  /** Sees every token of the answer. */
  readonly onToken?: (id: number) => void
}

/** What is wrong with a question, or with the model. */
export type AnswerError = PromptInvalid | ImageTokenMismatch | PromptTooLong | LogitsNotFinite

export const isAnswerError = (error: unknown): error is AnswerError =>
  [PromptInvalid, ImageTokenMismatch, PromptTooLong, LogitsNotFinite].some((type) => error instanceof type)

/** What answers are generated with, and what stands before. */
interface Generation extends Pick<Question, "maxNewTokens" | "sampler" | "watch" | "onToken"> {
  readonly cache?: KeyValueCache
}

/**
 * Pieces of the text that follows a prompt, specials left out, never a part of a character. Empty ones come while the prompt is read:
 * a generator can be left where it yields. Raises what an AnswerError is.
 */
export async function* answerPieces(
  { backend, directory, weights }: AnsweringModel,
  prompt: Prompt,
  { maxNewTokens, sampler, watch, cache, onToken }: Generation
): AsyncGenerator<string> {
  await takeTurns()
  yield ""
  const all = yield* inTurns(promptEmbeddings({ backend, directory, weights }, [prompt], watch), takeTurns, "")
  const embeddings = reshape(all, [1, prompt.ids.length, all.shape[2]!])
  all.release()
  // What pictures took and their tokens do not need.
  if (prompt.images.length > 0) backend.trim()
  const decoder = directory.tokenizer.stream({ skipSpecial: true })
  try {
    const tokens = generateInTurns({
      ...{ backend, config: directory.config, weights, maxNewTokens, sampler },
      prompt: embeddings,
      stopIds: new Set([directory.tokens.messageEnd, directory.tokens.endOfText]),
      ...(cache ? { cache } : {})
    })
    for await (const id of tokens) {
      if (id !== undefined) onToken?.(id)
      yield id === undefined ? "" : decoder.push(id)
    }
    const rest = decoder.flush()
    if (rest !== "") yield rest
  } finally {
    embeddings.release()
  }
}

/**
 * A stream of what a generator of text gives; what it raises that is no AnswerError is a defect. A stream that is left ends when the
 * generator has: the step that it is in may still write to the cache, which the next question reads.
 */
export const streamOf = (pieces: () => AsyncGenerator<string>): Stream.Stream<string, AnswerError> =>
  Stream.suspend(() => {
    const generator = pieces()
    const end = Effect.promise(() => generator.return(undefined))
    return Stream.ensuring(
      Stream.fromAsyncIterable(generator, (error) => error),
      end
    )
  }).pipe(
    Stream.filter((piece) => piece !== ""),
    Stream.catch((error) => (isAnswerError(error) ? Stream.fail(error) : Stream.die(error)))
  )

/** Reads a question before anything is computed, and gives the answer to come. Fails with PromptInvalid, PromptTooLong. */
export const openAnswer = (
  model: AnsweringModel,
  question: Question
): Effect.Effect<Stream.Stream<string, AnswerError>, PromptInvalid | PromptTooLong> =>
  Effect.gen(function* () {
    const { tokenizer, config } = model.directory
    const ids = encodeSequence(tokenizer, yield* renderQuestion(model.directory, question))
    yield* Effect.try({ try: () => contextRoom(config, ids.length), catch: (error) => error as PromptTooLong })
    return streamOf(() => answerPieces(model, { ids, images: question.images }, question))
  })

/** Pieces of the answer's text as they are generated, specials left out, never a part of a character. */
export const streamAnswer = (model: AnsweringModel, question: Question): Stream.Stream<string, AnswerError> =>
  Stream.unwrap(openAnswer(model, question))

/** A text up to a spelled-out end of message, white space around it stripped. */
export const trimmedAnswer = (text: string): string => text.split(messageEnd, 1)[0]!.trim()

/** The whole answer. */
export const answer = (model: AnsweringModel, question: Question): Effect.Effect<string, AnswerError> =>
  Stream.runFold(
    streamAnswer(model, question),
    () => "",
    (text, piece) => text + piece
  ).pipe(Effect.map(trimmedAnswer))
