/**
 * Greedy decoding of several sequences whose prompts have the same length: every product reads a weight once for all of them.
 * Tensors are time-major, [T, B, ...]: all but attention looks at tokens one by one, and attention is the cache's.
 */
import { type Backend, noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import { makeKeyValueCache } from "../model/KeyValueCache.ts"
import { decoder, embedTokens, logitsOfRows } from "../model/language.ts"
import { LogitsNotFinite } from "../model/ModelErrors.ts"
import { contextRoom } from "./contextRoom.ts"
import type { GenerationRequest } from "./generateTokens.ts"
import { greedy } from "./sampling.ts"

export interface JointRequest extends Omit<GenerationRequest, "prompt" | "sampler"> {
  readonly backend: Backend
  /** Embeddings of the prompts, [T, B, H], visual tokens in place. They stay the caller's. */
  readonly prompts: Tensor
}

/** What was generated for each sequence, up to its first stop id. Raises PromptTooLong and LogitsNotFinite. */
export const generateTogether = async ({
  backend,
  config,
  weights,
  prompts,
  stopIds,
  maxNewTokens
}: JointRequest): Promise<readonly (readonly number[])[]> => {
  const [tokens, sequences] = prompts.shape as readonly [number, number, number]
  const most = Math.min(maxNewTokens, contextRoom(config, tokens))
  const cache = makeKeyValueCache(backend, config.llm_config, tokens + most, sequences)
  const generated = Array.from({ length: sequences }, (): number[] => [])
  const open = new Set(generated.keys())
  /** Logits [B, V] after the last of the new tokens. */
  const step = (embeddings: () => Tensor): Tensor =>
    noGrad(() =>
      scope(() => {
        const x = embeddings()
        const count = x.shape[0]!
        const places = Int32Array.from(
          { length: x.shape[0]! * sequences },
          (_, row) => cache.length + Math.floor(row / sequences)
        )
        const hidden = decoder(
          weights,
          config.llm_config,
          x,
          { ids: tensor(backend, places, [count, sequences], "i32") },
          cache
        )
        cache.advance(count)
        const last = Int32Array.from({ length: sequences }, (_, at) => (count - 1) * sequences + at)
        return logitsOfRows(weights, config.llm_config, hidden, tensor(backend, last, [sequences], "i32"))
      })
    )
  /** Takes the next token of every open sequence; closed ones are fed their last again, which nothing reads. */
  const choose = (logits: Float32Array, before: Int32Array<ArrayBuffer>): Int32Array<ArrayBuffer> =>
    before.map((id, at) => {
      if (!open.has(at)) return id
      const row = logits.subarray((at * logits.length) / sequences, ((at + 1) * logits.length) / sequences)
      const next = greedy(row)
      if (!Number.isFinite(row[next])) throw new LogitsNotFinite({ position: cache.length, value: `${row[next]}` })
      if (stopIds.has(next)) open.delete(at)
      else generated[at]!.push(next)
      return next
    })
  let next = () => prompts.alias()
  let chosen = new Int32Array(sequences)
  try {
    for (let produced = 0; produced < most && open.size > 0; produced++) {
      const logits = step(next)
      try {
        chosen = choose((await logits.read()) as Float32Array, chosen)
      } finally {
        logits.release()
      }
      next = () => embedTokens(weights, config.llm_config, tensor(backend, chosen, [1, sequences], "i32"))
    }
    return generated
  } finally {
    cache.release()
  }
}
