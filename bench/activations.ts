/**
 * What int8 activations change in a packed model's answers: each question of a benchmark is answered from the unpacked weights, and the
 * codes, with f32 and int8 activations, are taken along those tokens.
 *   npm run bench -- activations --model runs/mine/model/packed --data data/nano/evaluation/short.tsv [--limit 100]
 * KL is that of the distribution from the unpacked weights, per token of the answer that the codes multiply: all but the first.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { benchmarkNamed, nano, readDataFile, requestOf } from "@speedq/evaluation"
import { packedWeights, readPackedModel, unpackAll, withActivations } from "@speedq/exports"
import { Safetensors } from "@speedq/formats"
import { quantizers } from "@speedq/quantizers"
import { makeNativeBackend } from "@speedq/tensors"
import {
  answer,
  greedy,
  imageTiles,
  openModelDirectory,
  type Sampler,
  type Weights,
  weightsFrom
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type Flags, machine } from "./measure.ts"

const logSoftmax = (logits: Float32Array): Float64Array => {
  const most = logits.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  const sum = logits.reduce((total, logit) => total + Math.exp(logit - most), 0)
  return Float64Array.from(logits, (logit) => logit - most - Math.log(sum))
}

/** Sum over ids of p (log p - log q). */
const divergence = (p: Float64Array, q: Float64Array): number =>
  p.reduce((sum, log, id) => sum + Math.exp(log) * (log - q[id]!), 0)

interface Tally {
  tokens: number
  divergence: number
  /** Tokens, and answers, that the likeliest ids are the same of. */
  sameTokens: number
  sameAnswers: number
}

export const activations = async (flags: Flags) => {
  const path = flags.text("model")
  const file = flags.text("data")
  if (path === undefined || file === undefined) throw new Error("activations needs --model DIR and --data FILE")
  const backend = await makeNativeBackend({})
  const tallies: Readonly<Record<"f32" | "int8", Tally>> = {
    f32: { tokens: 0, divergence: 0, sameTokens: 0, sameAnswers: 0 },
    int8: { tokens: 0, divergence: 0, sameTokens: 0, sameAnswers: 0 }
  }
  const program = Effect.gen(function* () {
    const directory = yield* openModelDirectory(path)
    const { store } = yield* Safetensors.openModel(path)
    const { packed, others } = readPackedModel(backend, directory.config, store, quantizers)
    const codes = packedWeights(packed, others)
    const unpacked = weightsFrom(unpackAll(packed), others)
    const benchmark = yield* benchmarkNamed(nano.name)
    const data = yield* readDataFile(file, benchmark)
    const rows = data.rows.slice(0, flags.number("limit", data.rows.length))
    for (const row of rows) {
      const { prompt, images, maxTiles, generation } = yield* requestOf(benchmark, data, row)
      const tiles = images.map((image) => imageTiles(image, directory.image, maxTiles))
      const asked = (weights: Weights, sampler: Sampler) =>
        answer(
          { backend, directory, weights },
          { question: prompt, images: tiles, maxNewTokens: generation.maxNewTokens, sampler }
        )
      const ids: number[] = []
      const expected: Float64Array[] = []
      yield* asked(unpacked, (logits) => {
        expected.push(logSoftmax(logits))
        ids.push(greedy(logits))
        return ids.at(-1)!
      })
      for (const form of ["f32", "int8"] as const) {
        const tally = tallies[form]
        let at = 0
        let same = true
        yield* asked(withActivations(codes, packed, form), (logits) => {
          const id = ids[at]!
          if (greedy(logits) !== id) same = false
          if (at > 0) {
            tally.tokens++
            tally.divergence += divergence(expected[at]!, logSoftmax(logits))
            if (greedy(logits) === id) tally.sameTokens++
          }
          at++
          return id
        })
        if (same) tally.sameAnswers++
      }
    }
    return rows.length
  })
  const answers = await Effect.runPromise(program.pipe(Effect.scoped, Effect.provide(NodeServices.layer)))
  await backend.close()
  const rows = Object.entries(tallies).map(([form, { tokens, divergence, sameTokens, sameAnswers }]) => ({
    activations: form,
    divergencePerToken: divergence / tokens,
    sameTokens: sameTokens / tokens,
    sameAnswers
  }))
  return { case: "activations", ...machine(), model: path, data: file, answers, tokens: tallies.f32.tokens, rows }
}
