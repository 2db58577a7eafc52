/** Answers of a conversation are those of questions with their history, and nothing is computed twice for them. */
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { makeReferenceBackend } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import { afterAll } from "vitest"
import {
  answer,
  type Conversation,
  greedy,
  imageTiles,
  makeConversation,
  type NextQuestion,
  type Preparing,
  PromptInvalid,
  PromptTooLong,
  randomWeights,
  type Sampler,
  weightsFrom
} from "../src/index.ts"
import { vocabulary, writeAnsweringModel } from "./answeringModel.ts"
import { generatedImage } from "./generatedImage.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const shared = { num_attention_heads: 4, intermediate_size: 48 }
const config = {
  vision_config: { ...shared, hidden_size: 32, image_size: 56, patch_size: 14, num_hidden_layers: 1 },
  llm_config: {
    ...{ ...shared, hidden_size: 32, num_hidden_layers: 2, num_key_value_heads: 2 },
    ...{ vocab_size: vocabulary, max_position_embeddings: 512 }
  },
  max_dynamic_patch: 4
}

const backend = makeReferenceBackend()
afterAll(() => backend.close())
const directory = await Effect.runPromise(writeAnsweringModel(join(temporaryDirectory(), "model"), config))
const weights = weightsFrom(randomWeights(backend, directory.config, { seed: 5, spread: "fan-in", layerScale: 1 }))
const model = { backend, directory, weights }
const { tokenizer, tokens, image: settings } = directory
const atRest = backend.usage().buffers

const picture = (seed: number) => imageTiles(generatedImage(120, 60, seed), settings)
const [first, second] = [picture(1), picture(2)]

/** Says a text, then ends the message. */
const reciting = (text: string): Sampler => {
  const ids = tokenizer.encode(text)
  let next = 0
  return () => ids[next++] ?? tokens.messageEnd
}

const next = (question: string, more: Partial<NextQuestion> = {}): NextQuestion => ({
  ...{ question, images: [], maxNewTokens: 12, sampler: greedy },
  ...more
})
const told = (conversation: Conversation, question: NextQuestion) =>
  Effect.map(Stream.runCollect(conversation.ask(question)), (pieces) => pieces.join(""))

/** A conversation, and nothing left in memory after it. */
const conversing = <A, E>(use: (conversation: Conversation) => Effect.Effect<A, E>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => makeConversation(model)),
    use,
    (conversation) => Effect.sync(() => conversation.release())
  ).pipe(Effect.tap(() => Effect.sync(() => assert.strictEqual(backend.usage().buffers, atRest))))

/** What is told while a prompt is read. */
const watching = () => {
  const seen: Preparing[] = []
  return { seen, watch: (progress: Preparing) => void seen.push(progress) }
}

describe("a conversation", () => {
  it.effect("answers as questions with their history are answered, whatever the model says", () =>
    conversing((conversation) =>
      Effect.gen(function* () {
        const asked = [
          next("What is this?", { images: [first] }),
          next("And here?", { images: [second] }),
          next("Which is larger?"),
          next("Both are marked: <image>", { images: [first] })
        ]
        const images = []
        for (const question of asked) {
          const history = conversation.turns()
          const given = yield* told(conversation, question)
          images.push(...question.images)
          const { question: marked } = conversation.turns().at(-1)!
          const whole = yield* answer(model, { ...question, question: marked, history, images })
          assert.strictEqual(given.trim(), whole)
        }
        assert.deepStrictEqual(
          conversation.turns().map(({ question }) => question),
          ["<image>\nWhat is this?", "Image-2: <image>\nAnd here?", "Which is larger?", "Both are marked: <image>"]
        )
      })
    )
  )

  it.effect("sees a picture and reads a turn once", () =>
    conversing((conversation) =>
      Effect.gen(function* () {
        const [one, two] = [watching(), watching()]
        const says = (text: string) => ({ sampler: reciting(text), maxNewTokens: 40 })
        yield* told(conversation, next("What is this?", { images: [first], watch: one.watch, ...says("ok ok") }))
        yield* told(conversation, next("Sure?", { watch: two.watch, ...says("ok") }))
        assert.deepStrictEqual(
          one.seen.map(({ tiles, of }) => [tiles, of]),
          [
            [0, first.count],
            [first.count, first.count]
          ]
        )
        // What ends the answer, the question in its turn, and the head of the next answer.
        const text = "<|im_end|>\n<|im_start|>user\nSure?<|im_end|>\n<|im_start|>assistant\n"
        assert.deepStrictEqual(two.seen, [{ tiles: 0, of: 0, tokens: tokenizer.encode(text).length }])
      })
    )
  )

  it.effect("begins anew after a reset", () =>
    conversing((conversation) =>
      Effect.gen(function* () {
        const question = next("What is this?", { images: [first] })
        const once = yield* told(conversation, question)
        yield* told(conversation, next("Sure?"))
        conversation.reset()
        assert.deepStrictEqual(conversation.turns(), [])
        assert.strictEqual(yield* told(conversation, question), once)
      })
    )
  )

  it.effect("goes on after an answer that was left early, which stands as far as it came", () =>
    conversing((conversation) =>
      Effect.gen(function* () {
        const sampler = reciting("one two three")
        const pieces = yield* conversation
          .ask(next("Count", { sampler, maxNewTokens: 40 }))
          .pipe(Stream.take(5), Stream.runCollect)
        assert.deepStrictEqual(conversation.turns(), [{ question: "Count", answer: pieces.join("").trim() }])
        const history = conversation.turns()
        const given = yield* told(conversation, next("And?"))
        assert.strictEqual(given.trim(), yield* answer(model, { ...next("And?"), history }))
      })
    )
  )

  it.effect(
    "refuses a question that marks other places than it has pictures, and one that is too long, and goes on",
    () =>
      conversing((conversation) =>
        Effect.gen(function* () {
          const wrong = yield* Effect.flip(told(conversation, next("a <image> and <image>", { images: [first] })))
          assert.instanceOf(wrong, PromptInvalid)
          assert.match(wrong.message, /marks 2 places for pictures by <image>, and 1 is new in it; leave the marks out/)
          const spelled = yield* Effect.flip(told(conversation, next("what does <image> mean?")))
          assert.instanceOf(spelled, PromptInvalid)
          const long = yield* Effect.flip(told(conversation, next("x".repeat(600))))
          assert.instanceOf(long, PromptTooLong)
          assert.deepStrictEqual(conversation.turns(), [])
          const question = next("What is this?", { images: [first] })
          const given = yield* told(conversation, question)
          assert.strictEqual(given.trim(), yield* answer(model, question))
        })
      )
  )
})
