/** Autoregressive decoding with a key-value cache: each token is computed once. */
import { type Backend, noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import { makeKeyValueCache } from "../model/KeyValueCache.ts"
import { decoder, embedTokens, logitsOfRows } from "../model/language.ts"
import type { ModelConfig } from "../model/ModelConfig.ts"
import type { Weights } from "../model/Weights.ts"
import type { Sampler } from "./sampling.ts"

export interface GenerationRequest {
  readonly backend: Backend
  readonly config: ModelConfig
  readonly weights: Weights
  /** Embeddings of the prompt, [1, T, H], visual tokens in place. They stay the caller's. */
  readonly prompt: Tensor
  readonly maxNewTokens: number
  /** Generation ends at the first of these ids, which is not yielded. */
  readonly stopIds: ReadonlySet<number>
  readonly sampler: Sampler
}

const positionIds = (backend: Backend, start: number, count: number): Tensor =>
  tensor(
    backend,
    Int32Array.from({ length: count }, (_, i) => start + i),
    [1, count],
    "i32"
  )

/**
 * Yields new token ids until a stop id or `maxNewTokens`. Memory of one token's step is released before the next;
 * the cache when the generator ends, also when it is abandoned by `return`.
 */
export async function* generateTokens(request: GenerationRequest): AsyncGenerator<number, void, void> {
  const { backend, config, weights, prompt, maxNewTokens, stopIds, sampler } = request
  const length = prompt.shape[1]!
  const cache = makeKeyValueCache(backend, config.llm_config, length + maxNewTokens)
  /** Logits [1, V] of the last of the new embeddings. */
  const step = (embeddings: () => Tensor): Tensor =>
    noGrad(() =>
      scope(() => {
        const x = embeddings()
        const count = x.shape[1]!
        const ids = positionIds(backend, cache.length, count)
        const hidden = decoder(weights, config.llm_config, x, { ids }, cache)
        cache.advance(count)
        return logitsOfRows(weights, hidden, tensor(backend, [count - 1], [1], "i32"))
      })
    )
  try {
    let logits = step(() => prompt.alias())
    for (let produced = 0; produced < maxNewTokens; produced++) {
      const id = sampler((await logits.read()) as Float32Array)
      logits.release()
      if (stopIds.has(id)) return
      yield id
      if (produced + 1 < maxNewTokens) logits = step(() => embedTokens(weights, tensor(backend, [id], [1, 1], "i32")))
    }
  } finally {
    cache.release()
  }
}
