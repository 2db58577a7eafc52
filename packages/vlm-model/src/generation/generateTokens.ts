/** Autoregressive decoding with a key-value cache: each token is computed once. */
import { type Backend, scope, type Tensor, tensor } from "@speedq/tensors"
import { allAtOnce, type InSteps, inTurns } from "../internal/inSteps.ts"
import { countFrom, type KeyValueCache, makeKeyValueCache } from "../model/KeyValueCache.ts"
import { decoderInSteps, embedTokens, logitsOfRows } from "../model/language.ts"
import type { ModelConfig } from "../model/ModelConfig.ts"
import { LogitsNotFinite } from "../model/ModelErrors.ts"
import type { Weights } from "../model/Weights.ts"
import { contextRoom } from "./contextRoom.ts"
import type { Sampler } from "./sampling.ts"
import { takeTurns } from "./takeTurns.ts"

export interface GenerationRequest {
  readonly backend: Backend
  readonly config: ModelConfig
  readonly weights: Weights
  /** Embeddings of the prompt, [1, T, H], visual tokens in place. They stay the caller's. */
  readonly prompt: Tensor
  /** Generation also ends where the model's context does. */
  readonly maxNewTokens: number
  /** Generation ends at the first of these ids, which is not yielded. */
  readonly stopIds: ReadonlySet<number>
  readonly sampler: Sampler
  /** Has what stands before `prompt`, and gets all that is computed. It stays the caller's; without it nothing stands before. */
  readonly cache?: KeyValueCache
}

/**
 * Yields new token ids until a stop id or `maxNewTokens`, and undefined after each layer of the prompt, which takes its time: there the
 * generator can be left, too. Memory of one token's step is released before the next; a cache of its own when the generator ends, also
 * when it is abandoned by `return`. A token gets into the cache when the next one is asked for. Raises PromptTooLong and LogitsNotFinite.
 */
export async function* generateInTurns(request: GenerationRequest): AsyncGenerator<number | undefined, void, void> {
  const { backend, config, weights, prompt, stopIds, sampler } = request
  const tokens = (request.cache?.length ?? 0) + prompt.shape[1]!
  const maxNewTokens = Math.min(request.maxNewTokens, contextRoom(config, tokens))
  const cache = request.cache ?? makeKeyValueCache(backend, config.llm_config, tokens + maxNewTokens)
  cache.reserve(tokens + maxNewTokens)
  /** Logits [1, V] of the last of the new embeddings [1, T, H], which stay the caller's. */
  function* read(x: Tensor): InSteps<Tensor> {
    const count = x.shape[1]!
    const ids = tensor(backend, countFrom(cache.length, count), [1, count], "i32")
    try {
      const hidden = yield* decoderInSteps(weights, config.llm_config, x, { ids }, cache)
      try {
        // What a prompt took, its head and the tokens after it do not need.
        if (count > 1) backend.trim()
        cache.advance(count)
        const last = () => tensor(backend, [count - 1], [1], "i32")
        return scope(() => logitsOfRows(weights, config.llm_config, hidden, last()))
      } finally {
        hidden.release()
      }
    } finally {
      ids.release()
    }
  }
  const readToken = (id: number): Tensor =>
    scope(() => allAtOnce(read(embedTokens(weights, config.llm_config, tensor(backend, [id], [1, 1], "i32")))))
  try {
    if (maxNewTokens === 0) return
    let computed = yield* inTurns(read(prompt), takeTurns, undefined)
    for (let produced = 1; ; produced++) {
      const logits = await readOnce(computed)
      const id = sampler(logits)
      if (!Number.isFinite(logits[id])) throw new LogitsNotFinite({ position: cache.length, value: `${logits[id]}` })
      if (stopIds.has(id)) return
      yield id
      await takeTurns()
      if (produced === maxNewTokens) return
      computed = readToken(id)
    }
  } finally {
    if (request.cache === undefined) cache.release()
  }
}

/** The same, new token ids alone. */
export async function* generateTokens(request: GenerationRequest): AsyncGenerator<number, void, void> {
  for await (const id of generateInTurns(request)) if (id !== undefined) yield id
}

const readOnce = async (logits: Tensor): Promise<Float32Array> => {
  try {
    return (await logits.read()) as Float32Array
  } finally {
    logits.release()
  }
}
