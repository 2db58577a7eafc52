/** llama.cpp loads the export "gguf" and answers about pictures as this software does; skipped where its addon is not installed. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { bilevel, embeddingSym4, type QuantizerChoice, uniform } from "@speedq/quantizers"
import { openBackend } from "@speedq/tensors"
import {
  type AnsweringModel,
  answer,
  decodeImage,
  embeddingAndHead,
  greedy,
  imageTiles,
  linearLayers,
  randomWeights,
  type Sampler,
  towerOf
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { packedWeights, releaseParameters, type SourceModel } from "../src/index.ts"
import { answersOf, firstTokensOf, hasLlamaCpp } from "./support/llamaCpp.ts"
import { deploy, exportTo, openSource, temporary } from "./support/models.ts"
import { type ModelQuestion, type ShippedModel, shippedModels, shippedNano } from "./support/shippedModels.ts"

const { directory: root, remove } = temporary("llama")
const backend = await openBackend("native")

interface Question extends ModelQuestion {
  readonly file: string
}

/** One of each kind, in English and in Chinese by turns. */
const questionsOf = async ({ name, questions }: ShippedModel): Promise<readonly Question[]> => {
  const some = (await questions()).filter((_, at) => at % 4 === 0 || at % 4 === 3)
  return some.map((asked, at) => {
    const file = join(root, `${name}-${at}.png`)
    writeFileSync(file, asked.picture)
    return { ...asked, file }
  })
}

afterAll(async () => {
  assert.strictEqual(backend.usage().buffers, 0)
  await backend.close()
  remove()
})

/** Probabilities of the two likeliest tokens. */
const likeliest = (logits: Float32Array): readonly [number, number] => {
  const peak = logits[greedy(logits)]!
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit - peak), 0)
  const second = logits.reduce((most, logit) => (logit < peak ? Math.max(most, logit) : most), Number.NEGATIVE_INFINITY)
  return [1 / total, Math.exp(second - peak) / total]
}

interface Own {
  readonly text: string
  /** Text and probability of the first token. */
  readonly token: string
  readonly first: number
  /** How much likelier the token that was taken was than the next, at least. */
  readonly margin: number
}

const ownAnswer = async (model: AnsweringModel, { question, picture }: ModelQuestion, most: number): Promise<Own> => {
  const picked: (readonly [id: number, first: number, second: number])[] = []
  const sampler: Sampler = (logits) => {
    const id = greedy(logits)
    picked.push([id, ...likeliest(logits)])
    return id
  }
  const image = await Effect.runPromise(decodeImage(picture))
  const images = [imageTiles(image, model.directory.image)]
  const text = await Effect.runPromise(answer(model, { question, images, maxNewTokens: most, sampler }))
  const [id, first] = picked[0]!
  const margin = Math.min(...picked.map(([, likely, next]) => likely - next))
  return { text, token: model.directory.tokenizer.decode([id]), first, margin }
}

interface Wanted {
  readonly questions: readonly Question[]
  /** What layers are rounded to nearest with; nothing is without it. */
  readonly choice?: QuantizerChoice
  /** Options of the export. */
  readonly with?: object
  /** Tokens of our own answers, at most. */
  readonly mostTokens?: number
}

/** Exports a model; gives our answers and the export's certificate. The weights stay the caller's. */
const exportedOf = async (name: string, source: SourceModel, wanted: Wanted) => {
  const { questions, choice, with: options, mostTokens = 64 } = wanted
  const { config } = source.directory
  const layers = [...linearLayers(config).keys()].filter((layer) => towerOf(layer) !== "projector")
  const nearest = new Map<string, QuantizerChoice>(choice && layers.map((layer) => [layer, choice]))
  if (choice !== undefined) for (const layer of embeddingAndHead(config.llm_config)) nearest.set(layer, embeddingSym4())
  const deployed = await deploy(source, nearest, "bf16")
  const directory = join(root, name)
  const certificate = await exportTo(directory, "gguf", source, deployed, options)
  const weights = packedWeights(deployed.packed, deployed.others)
  const own: Own[] = []
  for (const asked of questions)
    own.push(await ownAnswer({ backend, directory: source.directory, weights }, asked, mostTokens))
  deployed.release()
  return { directory, certificate, own }
}

/** The same of a model that is shipped. */
const exported = async ({ directory, name }: ShippedModel, to: string, wanted: Wanted) => {
  const source = await openSource(backend, directory)
  const done = await exportedOf(`${name}-${to}`, source, wanted)
  releaseParameters(source.weights)
  return done
}

/** The same of random weights with a Qwen3 decoder whose heads are wider than its width divided by them, and which ties its head. */
const exportedQwen3 = async (questions: readonly Question[]) => {
  const { weights, ...opened } = await openSource(backend)
  releaseParameters(weights)
  const { config } = opened.directory
  const llm_config = { ...config.llm_config, model_type: "qwen3" as const, head_dim: 32, tie_word_embeddings: true }
  const directory = { ...opened.directory, config: { ...config, llm_config } }
  const random = randomWeights(backend, directory.config, { seed: 3, spread: "fan-in", layerScale: 1 })
  const done = await exportedOf("qwen3", { ...opened, directory, weights: random }, { questions, mostTokens: 1 })
  releaseParameters(random)
  return done
}

const asked = (directory: string, questions: readonly Question[]) =>
  questions.map(({ question, file }) => ({ directory, question, picture: file }))

/** Differences of the first token's probability. */
const differences = async (
  directory: string,
  questions: readonly Question[],
  own: readonly Own[]
): Promise<readonly number[]> => {
  const theirs = await firstTokensOf(asked(directory, questions))
  return own.map(({ token, first }, at) => Math.abs(first - (theirs[at]![token] ?? 0)))
}

const largest = (values: readonly number[]): number => Math.max(...values)

const notHere = hasLlamaCpp ? undefined : "llama.cpp is not installed"

for (const model of shippedModels) {
  const fault = notHere ?? model.missing
  describe.skipIf(fault !== undefined)(`${model.name} in llama.cpp${fault === undefined ? "" : `: ${fault}`}`, () => {
    it("in full precision computes the same, where the row of the class token is the last", async () => {
      const questions = await questionsOf(model)
      const { directory, certificate, own } = await exported(model, "full", { questions })
      assert.isTrue(certificate.exact)
      assert.deepStrictEqual(
        await answersOf(asked(directory, questions)),
        own.map(({ text }) => text)
      )
      const rolled = largest(await differences(directory, questions, own))
      assert.isBelow(rolled, 1e-4)
      const wanted = { questions, with: { rollPositions: false }, mostTokens: 1 }
      const unrolled = await exported(model, "unrolled", wanted)
      assert.isAbove(largest(await differences(unrolled.directory, questions, own)), 2 * rolled)
    })
  })
}

describe.skipIf(!hasLlamaCpp)("an export gguf in llama.cpp", () => {
  it("of a Qwen3 decoder computes the same", async () => {
    const questions = await questionsOf(shippedNano)
    const { directory, certificate, own } = await exportedQwen3(questions)
    assert.isTrue(certificate.exact)
    const differing = await differences(directory, questions, own)
    // Random weights make no token much likelier than others.
    for (const [at, { first }] of own.entries()) assert.isBelow(differing[at]! / first, 1e-3)
  })

  it.each([
    ["4 bits in groups of 32", bilevel({ bits: 4, group: 32, scaleGroup: 32 }), 1e-3],
    ["2 bits in groups of 16", bilevel({ bits: 2, group: 16, scaleGroup: 16 }), 1e-2],
    ["2 bits in groups of 64, symmetric", uniform({ bits: 2, group: 64, symmetric: true }), 0]
  ] as const)("of %s gives the same answers", async (name, choice, relErr) => {
    const questions = await questionsOf(shippedNano)
    const { directory, certificate, own } = await exported(shippedNano, name, { questions, choice })
    assert.isAtMost(certificate.relErr, relErr)
    assert.strictEqual(certificate.exact, relErr === 0)
    const theirs = await answersOf(asked(directory, questions))
    // llama.cpp rounds activations to 8 bits for these types: that may turn what is almost a tie, of which 2 bits make some.
    const clear = own.flatMap(({ text, margin }, at) => (margin > 0.1 ? [[theirs[at]!, text] as const] : []))
    assert.isAtLeast(clear.length, 8)
    for (const [their, text] of clear) assert.strictEqual(their, text)
  })
})
