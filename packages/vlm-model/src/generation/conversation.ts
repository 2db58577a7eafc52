/**
 * Several questions to one model, one after the other: what was asked and answered stands before the next question. Keys and values
 * of earlier turns are kept, so that a picture is seen, and a turn read, once.
 */
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { withPlaceholders } from "../conversation/generationPrompt.ts"
import { imagePlaceholder } from "../conversation/imagePlaceholders.ts"
import { encodeSequence } from "../conversation/rendered.ts"
import { PromptInvalid } from "../Errors.ts"
import type { Tiles } from "../image/tiling.ts"
import { makeKeyValueCache } from "../model/KeyValueCache.ts"
import { tokensPerTile } from "../model/ModelConfig.ts"
import { type AnswerError, answerPieces, type Question, streamOf, trimmedAnswer } from "./answer.ts"
import { type AnsweringModel, type Asked, renderQuestion } from "./prompts.ts"

type Turn = NonNullable<Asked["history"]>[number]

/** A question of a conversation, with the pictures that are new in it. */
export type NextQuestion = Omit<Question, "history">

export interface Conversation {
  /**
   * Pieces of the answer as they are generated. A stream that is left early ends the answer there, which then stands as it is. Fails as
   * `streamAnswer` does, and then the question was not asked. Questions wait for no other: ask one after the other.
   */
  readonly ask: (question: NextQuestion) => Stream.Stream<string, AnswerError>
  /** Questions and answers so far. */
  readonly turns: () => readonly Turn[]
  /** Forgets all of them. */
  readonly reset: () => void
  /** Gives the memory back. */
  readonly release: () => void
}

/** Marks the pictures of a question. Fails with PromptInvalid where it marks other places than it has pictures: a later one would take them. */
const marked = (question: string, images: number, before: number): Effect.Effect<string, PromptInvalid> => {
  const text = withPlaceholders(question, images, before)
  const places = text.split(imagePlaceholder).length - 1
  if (places === images) return Effect.succeed(text)
  const reason = `the question marks ${places === 1 ? "a place" : `${places} places`} for pictures by ${imagePlaceholder}, and ${images} ${images === 1 ? "is" : "are"} new in it; leave the marks out, or mark each new picture once`
  return Effect.fail(new PromptInvalid({ reason }))
}

/** How many ids two prompts begin with alike. */
const commonLength = (a: ArrayLike<number>, b: ArrayLike<number>): number => {
  const most = Math.min(a.length, b.length)
  for (let at = 0; at < most; at++) if (a[at] !== b[at]) return at
  return most
}

/** Begins a conversation; the caller releases it. */
export const makeConversation = (model: AnsweringModel): Conversation => {
  const { backend, directory } = model
  const { config, tokenizer, tokens } = directory
  const cache = makeKeyValueCache(backend, config.llm_config, 0)
  let [turns, images, held]: [readonly Turn[], readonly Tiles[], readonly number[]] = [[], [], []]

  /** The part of a prompt that is not in the cache, which forgets what the prompt does not begin with. */
  const rest = (ids: Int32Array, all: readonly Tiles[]) => {
    // One token at least is read: its logits are those of the answer's first.
    let known = Math.min(commonLength(ids, held), ids.length - 1)
    const isImage = (id: number) => id === tokens.imageContext
    let left = ids.subarray(0, known).filter(isImage).length
    const seen = all.findIndex(({ count }) => {
      const own = count * tokensPerTile(config)
      if (left < own) return true
      left -= own
      return false
    })
    // A picture is read as a whole.
    while (left > 0) if (isImage(ids[--known]!)) left--
    cache.rewind(known)
    return { ids: ids.subarray(known), images: seen === -1 ? [] : all.slice(seen) }
  }

  async function* pieces(question: NextQuestion, asked: string, ids: Int32Array, all: readonly Tiles[]) {
    const answered: number[] = []
    let [text, isAsked] = ["", false]
    try {
      const { maxNewTokens, sampler, watch, onToken } = question
      const keepToken = (id: number) => {
        answered.push(id)
        onToken?.(id)
      }
      const generation = { maxNewTokens, sampler, cache, onToken: keepToken }
      for await (const piece of answerPieces(model, rest(ids, all), watch ? { ...generation, watch } : generation)) {
        text += piece
        isAsked ||= piece !== ""
        yield piece
      }
      isAsked = true
    } finally {
      held = [...ids, ...answered].slice(0, cache.length)
      if (isAsked) {
        turns = [...turns, { question: asked, answer: trimmedAnswer(text) }]
        images = all
      }
    }
  }

  return {
    ask: (question) =>
      Stream.unwrap(
        Effect.gen(function* () {
          const asked = yield* marked(question.question, question.images.length, images.length)
          const all = [...images, ...question.images]
          const rendered = yield* renderQuestion(directory, { question: asked, history: turns, images: all })
          const ids = encodeSequence(tokenizer, rendered)
          return streamOf(() => pieces(question, asked, ids, all))
        })
      ),
    turns: () => turns,
    reset: () => {
      cache.rewind(0)
      ;[turns, images, held] = [[], [], []]
    },
    release: () => cache.release()
  }
}
