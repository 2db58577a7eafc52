/** A packed nano answers from its codes what it answers from its unpacked weights, token for token, in both builds. */
import { bilevel, embeddingSym4, type QuantizerChoice } from "@speedq/quantizers"
import { makeNativeBackend } from "@speedq/tensors"
import {
  answer,
  decodeImage,
  embeddingAndHead,
  greedy,
  imageTiles,
  linearLayers,
  towerOf,
  type Weights,
  weightsFrom
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { packedWeights, unpackAll, withActivations } from "../src/index.ts"
import { deploy, openSource } from "./support/models.ts"
import { shippedNano } from "./support/shippedModels.ts"

const backends = await Promise.all([
  makeNativeBackend({ threads: 1, blas: "none" }),
  makeNativeBackend({ threads: 2, blas: "none", simd: "plain" })
])
afterAll(async () => {
  for (const backend of backends) await backend.close()
})

const twoBits = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
const fourBits = bilevel({ bits: 4, group: 32, scaleGroup: 64 })

/** Answers' token ids, and the logits that they were chosen from. */
interface Answered {
  readonly ids: readonly number[]
  readonly logits: readonly Float32Array[]
}

const answersOn = async (backend: (typeof backends)[number], linear: QuantizerChoice) => {
  const source = await openSource(backend)
  const { config } = source.directory
  const layers = [...linearLayers(config).keys()].filter((layer) => towerOf(layer) === "language")
  const ends = embeddingAndHead(config.llm_config).map((layer) => [layer, embeddingSym4()] as const)
  const { packed, others, release } = await deploy(
    source,
    new Map<string, QuantizerChoice>([...layers.map((layer) => [layer, linear] as const), ...ends])
  )
  const unpacked = unpackAll(packed)
  const codes = packedWeights(packed, others)
  const questions = (await shippedNano.questions()).slice(-4)
  const answered = async (weights: Weights): Promise<Answered> => {
    const ids: number[] = []
    const logits: Float32Array[] = []
    for (const { question, picture } of questions) {
      const image = await Effect.runPromise(decodeImage(picture))
      const sampler = (row: Float32Array) => {
        logits.push(row.slice())
        ids.push(greedy(row))
        return ids.at(-1)!
      }
      const asked = { question, images: [imageTiles(image, source.directory.image, 1)], maxNewTokens: 24, sampler }
      await Effect.runPromise(answer({ backend, directory: source.directory, weights }, asked))
    }
    return { ids, logits }
  }
  const [whole, exact, int8] = [
    await answered(weightsFrom(unpacked, others)),
    await answered(codes),
    await answered(withActivations(codes, packed, "int8"))
  ]
  for (const each of Object.values(unpacked)) each.release()
  release()
  for (const each of Object.values(source.weights)) each.release()
  assert.strictEqual(backend.usage().buffers, 0)
  return { whole, exact, int8 }
}

describe.each([
  ["2 bits", twoBits],
  ["4 bits", fourBits]
])("%s", (_, linear) => {
  it("gives the same tokens, and int8 the same in each build", async () => {
    const [relaxed, plain] = [await answersOn(backends[0]!, linear), await answersOn(backends[1]!, linear)]
    for (const { whole, exact } of [relaxed, plain]) {
      assert.isAbove(whole.ids.length, 20)
      assert.deepStrictEqual(exact.ids, whole.ids)
    }
    assert.deepStrictEqual(plain.exact.ids, relaxed.exact.ids)
    assert.deepStrictEqual(plain.int8.ids, relaxed.int8.ids)
    // It is not f32 by another name.
    assert.notDeepEqual(relaxed.int8.logits.map(String), relaxed.exact.logits.map(String))
  })
})
