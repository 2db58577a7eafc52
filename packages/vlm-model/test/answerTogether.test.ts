/** Several questions answered together get the answers that each of them gets alone. */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import { type Backend, makeNativeBackend, makeReferenceBackend, noGrad, tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { afterAll } from "vitest"
import {
  type AnsweringModel,
  answer,
  answerTogether,
  generateTogether,
  generateTokens,
  greedy,
  imageTiles,
  type JointQuestion,
  LogitsNotFinite,
  openModelDirectory,
  PromptInvalid,
  PromptTooLong,
  randomWeights,
  tokenizerParts,
  weightsFrom,
  writeTokenizer
} from "../src/index.ts"
import { generatedImage } from "./generatedImage.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"
import { loadDirectory, singleEmbeddings, tinyConfig, tinyDirectory } from "./tinyModel.ts"
import { writeStatistics } from "./writeStatistics.ts"

const backends = [makeReferenceBackend(), await makeNativeBackend({ threads: 2, blas: "none" })]
afterAll(() => Promise.all(backends.map((backend) => backend.close())))
const named = backends.map((backend) => [backend.kind, backend] as const)

const parts = tokenizerParts([["Ġ", "o"]])
const directory = join(temporaryDirectory(), "model")
mkdirSync(directory)
const config = {
  vision_config: {
    hidden_size: 32,
    image_size: 56,
    patch_size: 14,
    num_hidden_layers: 2,
    num_attention_heads: 2,
    intermediate_size: 48
  },
  llm_config: {
    hidden_size: 32,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    intermediate_size: 48,
    rope_theta: 1e6,
    vocab_size: parts.vocabulary.size + parts.addedTokens.length
  },
  max_dynamic_patch: 4
}
writeFileSync(join(directory, "config.json"), JSON.stringify(config))
writeStatistics(directory)
await Effect.runPromise(writeTokenizer(directory, parts))
const opened = await Effect.runPromise(openModelDirectory(directory))

const modelOn = (backend: Backend): AnsweringModel => {
  const random = randomWeights(backend, opened.config, { seed: 5, spread: "fan-in", layerScale: 1 })
  return { backend, directory: opened, weights: weightsFrom(random) }
}
const picture = (width: number, height: number, seed: number) =>
  imageTiles(generatedImage(width, height, seed), opened.image)

/** Prompts of equal length that see different pictures, of other lengths, with several tiles, and without a picture. */
const questions: readonly JointQuestion[] = [
  ...[1, 2, 3, 4, 5].map((seed) => ({ question: "What is it?", images: [picture(56, 56, seed)], maxNewTokens: 20 })),
  { question: "Where is it?", images: [picture(56, 56, 6)], maxNewTokens: 20 },
  { question: "What is it?", images: [picture(180, 60, 7)], maxNewTokens: 20 },
  { question: "Which one?", images: [], maxNewTokens: 20 },
  { question: "Which two?", images: [], maxNewTokens: 20 },
  { question: "<image> or <image>", images: [picture(56, 56, 8), picture(56, 56, 9)], maxNewTokens: 20 },
  { question: "Which two?", images: [], maxNewTokens: 3 }
]

describe.each(named)("answerTogether on %s", (_, backend) => {
  const model = modelOn(backend)

  it.effect("answers each question as if it were asked alone, and gives its memory back", () =>
    Effect.gen(function* () {
      const alone = yield* Effect.forEach(questions, (question) => answer(model, { ...question, sampler: greedy }))
      assert.isAbove(new Set(alone).size, 8)
      const { buffers, bytes } = backend.usage()
      assert.deepStrictEqual(yield* answerTogether(model, questions), alone)
      const after = backend.usage()
      assert.deepStrictEqual([after.buffers, after.bytes], [buffers, bytes])
      const reversed = yield* answerTogether(model, questions.toReversed())
      assert.deepStrictEqual(reversed, alone.toReversed())
      assert.deepStrictEqual(yield* answerTogether(model, []), [])
    })
  )

  it.effect("fails as a single question does", () =>
    Effect.gen(function* () {
      const images = [picture(56, 56, 1), picture(56, 56, 2)]
      const wrong = { question: "only <image>?", images, maxNewTokens: 4 }
      assert.instanceOf(yield* Effect.flip(answerTogether(model, [...questions, wrong])), PromptInvalid)
    })
  )

  it.effect("takes image tokens that people write for text", () =>
    Effect.gen(function* () {
      const question = { question: "what is <IMG_CONTEXT>?", images: [picture(56, 56, 1)], maxNewTokens: 4 }
      const [together] = yield* answerTogether(model, [question])
      assert.strictEqual(together, yield* answer(model, { ...question, sampler: greedy }))
    })
  )
})

describe.each(named)("generateTogether on %s", (_, backend) => {
  const weights = weightsFrom(loadDirectory(backend, tinyDirectory).parameters)
  const first = noGrad(() => singleEmbeddings(backend, tinyConfig, weights))
  const [, length = 0, width = 0] = first.shape
  /** The prompt, and copies of it with each token moved. */
  const several = async (count: number) => {
    const values = (await first.read()) as Float32Array
    const prompts = Array.from({ length: count }, (_, at) =>
      values.map((value, i) => value + 0.1 * at * Math.sin(i + at))
    )
    const joined = new Float32Array(count * values.length)
    for (const [at, prompt] of prompts.entries()) {
      for (let t = 0; t < length; t++) joined.set(prompt.subarray(t * width, (t + 1) * width), (t * count + at) * width)
    }
    return { prompts, joined: tensor(backend, joined, [length, count, width]) }
  }
  const request = { backend, config: tinyConfig, weights, maxNewTokens: 9 }

  it("gives each sequence its own tokens, also after others have ended", async () => {
    const { prompts, joined } = await several(5)
    const alone: number[][] = []
    const stopIds = new Set<number>()
    for (const pass of ["without stop ids", "with"]) {
      alone.length = 0
      for (const prompt of prompts) {
        const ids: number[] = []
        const single = tensor(backend, prompt, [1, length, width])
        for await (const id of generateTokens({ ...request, prompt: single, stopIds, sampler: greedy })) ids.push(id)
        single.release()
        alone.push(ids)
      }
      assert.deepStrictEqual(await generateTogether({ ...request, prompts: joined, stopIds }), alone, pass)
      stopIds.add(alone[1]![2]!)
    }
    assert.isAbove(new Set(alone.map((ids) => ids.length)).size, 1)
    assert.deepStrictEqual(
      await generateTogether({ ...request, prompts: joined, stopIds, maxNewTokens: 0 }),
      prompts.map(() => [])
    )
    joined.release()
  })

  it("refuses what a single sequence refuses, and leaves nothing behind", async () => {
    const { joined } = await several(2)
    const broken = tensor(backend, new Float32Array(64).fill(Number.NaN), [64])
    const { buffers } = backend.usage()
    const failure = (more: object) =>
      generateTogether({ ...request, prompts: joined, stopIds: new Set(), ...more }).catch((error: unknown) => error)
    const llm_config = { ...tinyConfig.llm_config, max_position_embeddings: length }
    assert.instanceOf(await failure({ config: { ...tinyConfig, llm_config } }), PromptTooLong)
    const get = (name: string) => (name === "language_model.model.norm.weight" ? broken : weights.get(name))
    assert.instanceOf(await failure({ weights: { ...weights, get } }), LogitsNotFinite)
    assert.strictEqual(backend.usage().buffers, buffers)
    for (const each of [joined, broken]) each.release()
  })
})
