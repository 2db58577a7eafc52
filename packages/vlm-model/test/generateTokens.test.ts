import {
  type Backend,
  makeNativeBackend,
  makeReferenceBackend,
  noGrad,
  Random,
  scope,
  type Tensor,
  tensor
} from "@speedq/tensors"
import { afterAll, assert, describe, it } from "vitest"
import {
  decoder,
  type GenerationRequest,
  generateTokens,
  greedy,
  LogitsNotFinite,
  logitsOfRows,
  type ModelConfig,
  nucleus,
  PromptTooLong,
  type Sampler,
  type Weights,
  weightsFrom
} from "../src/index.ts"
import { loadDirectory, single, singleEmbeddings, tinyConfig, tinyDirectory } from "./tinyModel.ts"

const backends = [makeReferenceBackend(), await makeNativeBackend({ threads: 2 })]
afterAll(() => Promise.all(backends.map((backend) => backend.close())))

const modelOn = (backend: Backend) => {
  const { parameters } = loadDirectory(backend, tinyDirectory)
  const weights = weightsFrom(parameters)
  const prompt = noGrad(() => singleEmbeddings(backend, tinyConfig, weights))
  return { backend, config: tinyConfig, weights, prompt }
}
type Model = ReturnType<typeof modelOn>
const models = backends.map((backend) => [backend.kind, modelOn(backend)] as const)

const generated = async (model: Model, options: Partial<GenerationRequest> = {}): Promise<readonly number[]> => {
  const ids: number[] = []
  const request = { ...model, maxNewTokens: 8, stopIds: new Set<number>(), sampler: greedy, ...options }
  for await (const id of generateTokens(request)) ids.push(id)
  return ids
}

/** The next token computed from everything before it, without a cache. */
const recomputed = async ({ backend, weights, prompt }: Model, sampler: Sampler, count: number) => {
  const ids: number[] = []
  while (ids.length < count) {
    const length = prompt.shape[1]! + ids.length
    const logits = noGrad(() =>
      scope(() => {
        const all = joined(backend, weights, prompt, ids)
        const positions = tensor(
          backend,
          Int32Array.from({ length }, (_, i) => i),
          [1, length],
          "i32"
        )
        const hidden = decoder(weights, tinyConfig.llm_config, all, { ids: positions })
        return logitsOfRows(weights, tinyConfig.llm_config, hidden, tensor(backend, [length - 1], [1], "i32"))
      })
    )
    ids.push(sampler((await logits.read()) as Float32Array))
    logits.release()
  }
  return ids
}

const host = new Map<Tensor, Float32Array>()
for (const [, { prompt }] of models) host.set(prompt, (await prompt.read()) as Float32Array)
const tables = new Map<Weights, Float32Array>()
for (const [, { weights }] of models) {
  tables.set(weights, (await weights.get("language_model.model.embed_tokens.weight").read()) as Float32Array)
}

/** Embeddings of the prompt and of what was generated, [1, T + n, H]. */
const joined = (backend: Backend, weights: Weights, prompt: Tensor, ids: readonly number[]): Tensor => {
  const width = prompt.shape[2]!
  const rows = ids.flatMap((id) => [...tables.get(weights)!.subarray(id * width, (id + 1) * width)])
  return tensor(backend, [...host.get(prompt)!, ...rows], [1, prompt.shape[1]! + ids.length, width])
}

describe.each(models)("generateTokens on %s", (_, model) => {
  it("gives the tokens that recomputing everything gives", async () => {
    const tokens = await generated(model)
    assert.strictEqual(tokens.length, 8)
    assert.deepStrictEqual(tokens, await recomputed(model, greedy, 8))
  })

  it("draws what recomputing everything draws, from the same seed", async () => {
    const sampler = (seed: number) => nucleus({ temperature: 1.5, topP: 0.98, random: Random.make(seed, "answer") })
    const tokens = await generated(model, { sampler: sampler(4) })
    assert.deepStrictEqual(tokens, await recomputed(model, sampler(4), 8))
    assert.deepStrictEqual(tokens, await generated(model, { sampler: sampler(4) }))
    assert.notDeepEqual(tokens, await generated(model, { sampler: sampler(5) }))
  })

  it("ends at a stop id, which it does not give", async () => {
    const tokens = await generated(model)
    const stop = tokens[3]!
    assert.deepStrictEqual(await generated(model, { stopIds: new Set([stop]) }), tokens.slice(0, tokens.indexOf(stop)))
  })

  it("ends after maxNewTokens, be it none", async () => {
    const tokens = await generated(model)
    assert.deepStrictEqual(await generated(model, { maxNewTokens: 3 }), tokens.slice(0, 3))
    assert.deepStrictEqual(await generated(model, { maxNewTokens: 0 }), [])
  })

  const withContext = (max_position_embeddings: number): ModelConfig => ({
    ...tinyConfig,
    llm_config: { ...tinyConfig.llm_config, max_position_embeddings }
  })

  it("ends where the context does", async () => {
    const config = withContext(single.ids.length + 2)
    assert.deepStrictEqual(await generated(model, { config }), (await generated(model)).slice(0, 2))
  })

  it("refuses a prompt that fills the context", async () => {
    const config = withContext(single.ids.length)
    const failure = await generated(model, { config }).catch((error: unknown) => error)
    assert.instanceOf(failure, PromptTooLong)
    assert.deepStrictEqual([failure.tokens, failure.limit], [15, 15])
    assert.include(failure.message, "15 tokens")
  })

  it("refuses logits that are no numbers", async () => {
    const broken = tensor(model.backend, new Float32Array(64).fill(Number.NaN), [64])
    const weights: Weights = {
      ...model.weights,
      get: (name) => (name === "language_model.model.norm.weight" ? broken : model.weights.get(name))
    }
    const failure = await generated(model, { weights }).catch((error: unknown) => error)
    broken.release()
    assert.instanceOf(failure, LogitsNotFinite)
    assert.include(failure.message, "position 15 is NaN")
  })
})

describe.each(models)("memory of generateTokens on %s", (_, model) => {
  const begin = (options: Partial<GenerationRequest> = {}) =>
    generateTokens({ ...model, maxNewTokens: 8, stopIds: new Set<number>(), sampler: greedy, ...options })
  const flat = async (body: () => Promise<void>) => {
    const { buffers, bytes } = model.backend.usage()
    await body()
    const after = model.backend.usage()
    assert.deepStrictEqual([after.buffers, after.bytes], [buffers, bytes])
    assert.isFalse(model.prompt.released)
  }

  it("is given back at the end", () => flat(async () => void (await generated(model))))

  it("is given back when the generator is abandoned, at the start or half way", async () => {
    for (const taken of [0, 1, 3]) {
      await flat(async () => {
        const tokens = begin()
        for (let i = 0; i < taken; i++) await tokens.next()
        await tokens.return()
      })
    }
  })

  it("is given back when the loop around it throws", () =>
    flat(async () => {
      const failure = await (async () => {
        for await (const id of begin()) throw new Error(`enough of ${id}`)
      })().catch((error: unknown) => error)
      assert.match(String(failure), /enough/)
    }))

  it("is given back when the sampler throws", () =>
    flat(async () => {
      const sampler = () => {
        throw new Error("no choice")
      }
      const failure = await generated(model, { sampler }).catch((error: unknown) => error)
      assert.match(String(failure), /no choice/)
    }))

  it("does not grow from token to token", async () => {
    const buffers: number[] = []
    const sampler: Sampler = (logits) => {
      buffers.push(model.backend.usage().buffers)
      return greedy(logits)
    }
    await generated(model, { sampler })
    assert.strictEqual(new Set(buffers.slice(1)).size, 1)
  })
})
