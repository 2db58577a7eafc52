import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { type Backend, makeReferenceBackend, noGrad, scope, tensor } from "@speedq/tensors"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Stream from "effect/Stream"
import { afterAll } from "vitest"
import { answerPieces } from "../src/generation/answer.ts"
import {
  type AnsweringModel,
  answer,
  encodeRendered,
  generateTokens,
  generationPrompt,
  greedy,
  imageTiles,
  imageTokenRows,
  mergeEmbeddings,
  normalizeTiles,
  PromptInvalid,
  PromptTooLong,
  projector,
  type Question,
  randomWeights,
  type Sampler,
  streamAnswer,
  type Tiles,
  visionFeatures,
  weightsFrom
} from "../src/index.ts"
import { vocabulary, writeAnsweringModel } from "./answeringModel.ts"
import { generatedImage } from "./generatedImage.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const config = {
  vision_config: {
    hidden_size: 32,
    image_size: 56,
    patch_size: 14,
    num_hidden_layers: 1,
    num_attention_heads: 2,
    intermediate_size: 48
  },
  llm_config: {
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    intermediate_size: 48,
    vocab_size: vocabulary
  },
  max_dynamic_patch: 4
}

const root = temporaryDirectory()
let made = 0
const modelOf = Effect.fnUntraced(function* (backend: Backend, changes: object = {}) {
  const directory = yield* writeAnsweringModel(join(root, `${made++}`), { ...config, ...changes })
  const weights = weightsFrom(randomWeights(backend, directory.config, { seed: 5, spread: "fan-in", layerScale: 1 }))
  return { backend, directory, weights } satisfies AnsweringModel
})

const backend = makeReferenceBackend()
afterAll(() => backend.close())
const model = await Effect.runPromise(modelOf(backend))
const { tokenizer, tokens, image: settings } = model.directory

const ask = (question: string, options: Partial<Question> = {}): Question => ({
  question,
  images: [],
  maxNewTokens: 40,
  sampler: greedy,
  ...options
})

/** Says what it is told to, then ends the message. */
const reciting = (...ids: readonly number[]): Sampler => {
  let next = 0
  return () => ids[next++] ?? tokens.messageEnd
}

const picture = (width: number, height: number, seed: number): Tiles =>
  imageTiles(generatedImage(width, height, seed), settings)
const collected = (question: Question, of: AnsweringModel = model) => Stream.runCollect(streamAnswer(of, question))

describe("streamAnswer", () => {
  it.effect("gives whole characters only, whatever the tokens cut", () =>
    Effect.gen(function* () {
      const text = "é漢😀 ok\u{1F468}\u200d\u{1F469}"
      const ids = tokenizer.encode(text)
      assert.isAbove(ids.length, [...text].length)
      const pieces = yield* collected(ask("?", { sampler: reciting(...ids) }))
      assert.strictEqual(pieces.join(""), text)
      assert.deepStrictEqual(pieces, ["é", "漢", "😀", " ok", "\u{1F468}", "\u200d", "\u{1F469}"])
    })
  )

  it.effect("marks a character that was never completed, at the end", () =>
    Effect.gen(function* () {
      const ids = tokenizer.encode("a😀")
      const pieces = yield* collected(ask("?", { sampler: reciting(...ids), maxNewTokens: 3 }))
      assert.deepStrictEqual(pieces, ["a", "\ufffd"])
    })
  )

  it.effect("leaves special tokens out, and ends at the end of the message", () =>
    Effect.gen(function* () {
      const [a = 0, b = 0] = tokenizer.encode("ab")
      const sampler = reciting(a, tokens.imageStart, b, tokens.messageEnd, a)
      assert.deepStrictEqual(yield* collected(ask("?", { sampler })), ["a", "b"])
    })
  )

  it.effect("gives its memory back, also when only the beginning is read", () =>
    Effect.gen(function* () {
      const { buffers, bytes } = backend.usage()
      const sampler = () => reciting(...tokenizer.encode("a long answer"))
      const images = [picture(56, 56, 1)]
      const first = yield* streamAnswer(model, ask("?", { sampler: sampler(), images })).pipe(
        Stream.take(2),
        Stream.runCollect
      )
      assert.deepStrictEqual(first, ["a", " "])
      yield* collected(ask("?", { sampler: sampler(), images }))
      const after = backend.usage()
      assert.deepStrictEqual([after.buffers, after.bytes], [buffers, bytes])
    })
  )

  it("can be left while the prompt is read: after each block of the tower, and after each layer; there others take their turns", async () => {
    const { buffers, bytes } = backend.usage()
    const images = [picture(168, 56, 1)]
    const question = { question: "?", tilesPerImage: [images[0]!.count], tokensPerTile: 4 }
    const ids = encodeRendered(tokenizer, Effect.runSync(generationPrompt(question)))
    const watched: number[] = []
    const generation = {
      maxNewTokens: 1,
      sampler: reciting(...tokenizer.encode("a")),
      watch: ({ tiles }: { readonly tiles: number }) => void watched.push(tiles)
    }
    const piecesUntil = async (most: number): Promise<readonly string[]> => {
      const pieces: string[] = []
      for await (const piece of answerPieces(model, { ids, images }, generation)) {
        pieces.push(piece)
        if (pieces.length === most) break
      }
      return pieces
    }
    // Before anything, after the one block of the tower, after each of two layers, and the answer.
    assert.deepStrictEqual(await piecesUntil(100), ["", "", "", "", "a"])
    let turns = 0
    for (const most of [1, 2, 3, 4]) {
      watched.length = 0
      setImmediate(() => turns++)
      assert.lengthOf(await piecesUntil(most), most)
      assert.strictEqual(turns, most)
      assert.lengthOf(watched, [0, 1, 2, 2][most - 1]!)
      const after = backend.usage()
      assert.deepStrictEqual([after.buffers, after.bytes], [buffers, bytes], `left after ${most}`)
    }
  })

  it.effect("passes on what is nobody's fault as a defect", () =>
    Effect.gen(function* () {
      const sampler = () => {
        throw new RangeError("a broken sampler")
      }
      const exit = yield* Effect.exit(collected(ask("?", { sampler })))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
    })
  )
})

/** Tokens from the definition: one batch of tiles, prompt rendered and merged, generated. */
const expectedIds = Effect.fnUntraced(function* (
  question: string,
  images: readonly Tiles[],
  history?: Question["history"]
) {
  const rendered = yield* generationPrompt({
    question,
    ...(history ? { history } : {}),
    tilesPerImage: images.map(({ count }) => count),
    tokensPerTile: 4
  })
  const ids = encodeRendered(tokenizer, rendered)
  const prompt = noGrad(() =>
    scope(() => {
      const visual = images.map((tiles) => {
        const pixels = tensor(backend, normalizeTiles(tiles, settings.statistics), [tiles.count, 3, 56, 56])
        return projector(model.weights, visionFeatures(model.weights, model.directory.config, pixels))
      })
      const index = tensor(backend, ids, [1, ids.length], "i32")
      return mergeEmbeddings(
        model.weights,
        model.directory.config.llm_config,
        index,
        visual,
        imageTokenRows(ids, tokens.imageContext)
      )
    })
  )
  const stopIds = new Set([tokens.messageEnd, tokens.endOfText])
  const request = {
    backend,
    config: model.directory.config,
    weights: model.weights,
    prompt,
    maxNewTokens: 12,
    stopIds,
    sampler: greedy
  }
  const generated: number[] = []
  yield* Effect.promise(async () => {
    for await (const id of generateTokens(request)) generated.push(id)
  })
  prompt.release()
  return generated
})

describe("answer", () => {
  const square = picture(56, 56, 1)
  const wide = picture(180, 60, 2)

  it.effect("is what the model generates from the rendered prompt, for none, one and several pictures", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual([square.count, wide.count], [1, 4])
      for (const [question, images] of [
        ["Hello?", []],
        ["What is this?", [wide]],
        ["<image> and <image>: which is wide?", [square, wide]],
        ["<image> and <image>: which is wide?", [wide, square]]
      ] as const) {
        const ids = yield* expectedIds(question, images)
        const text = yield* answer(model, ask(question, { images, maxNewTokens: 12 }))
        assert.strictEqual(text, tokenizer.decode(ids, { skipSpecial: true }).trim())
      }
    })
  )

  it.effect("sees the pictures, and their order", () =>
    Effect.gen(function* () {
      const first = Effect.fnUntraced(function* (images: readonly Tiles[]) {
        let seen = ""
        const sampler: Sampler = (logits) => {
          seen = logits.join()
          return tokens.messageEnd
        }
        assert.strictEqual(yield* answer(model, ask("<image> <image>?", { images, sampler })), "")
        return seen
      })
      const pairs = [
        [square, wide],
        [wide, square],
        [square, picture(180, 60, 3)],
        [square, wide]
      ]
      const logits = yield* Effect.forEach(pairs, first)
      assert.strictEqual(new Set(logits).size, 3)
      assert.strictEqual(logits[3], logits[0])
    })
  )

  it.effect("takes the turns before into account", () =>
    Effect.gen(function* () {
      const history = [{ question: "<image>?", answer: "A square." }]
      const ids = yield* expectedIds("Sure?", [square], history)
      const text = yield* answer(model, ask("Sure?", { images: [square], history, maxNewTokens: 12 }))
      assert.strictEqual(text, tokenizer.decode(ids, { skipSpecial: true }).trim())
    })
  )

  it.effect("is stripped, and cut where the end of a message is spelled out", () =>
    Effect.gen(function* () {
      const letters = [..." Yes.\n<|im_end|>No"].flatMap((letter) => [...tokenizer.encode(letter)])
      assert.notInclude(letters, tokens.messageEnd)
      assert.strictEqual(yield* answer(model, ask("?", { sampler: reciting(...letters) })), "Yes.")
    })
  )
})

describe("errors", () => {
  const failure = (question: Question, of: AnsweringModel = model) => Effect.flip(answer(of, question))

  it.effect("a picture without a place", () =>
    Effect.gen(function* () {
      const images = [picture(56, 56, 1), picture(56, 56, 2)]
      const error = yield* failure(ask("only <image>?", { images }))
      assert.instanceOf(error, PromptInvalid)
      assert.include(error.message, "2 images, but only 1")
    })
  )

  it.effect("a prompt that fills the context, told before a picture is looked at", () =>
    Effect.gen(function* () {
      const llm_config = { ...config.llm_config, max_position_embeddings: 64 }
      const small = yield* modelOf(backend, { llm_config, system_message: "Be brief." })
      const blind: AnsweringModel = {
        ...small,
        weights: {
          ...small.weights,
          get: (name) => {
            throw new Error(`${name} was read`)
          }
        }
      }
      const images = [picture(180, 60, 2)]
      const error = yield* failure(ask("What do you see in this picture?", { images }), blind)
      assert.instanceOf(error, PromptTooLong)
      const prompt = yield* generationPrompt({
        question: "What do you see in this picture?",
        tilesPerImage: [4],
        tokensPerTile: 4,
        systemMessage: "Be brief."
      })
      assert.deepStrictEqual([error.tokens, error.limit], [encodeRendered(tokenizer, prompt).length, 64])
    })
  )
})
