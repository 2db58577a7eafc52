/** How much of the model's context a prompt leaves to its answer. */
import type { ModelConfig } from "../model/ModelConfig.ts"
import { PromptTooLong } from "../model/ModelErrors.ts"

/** Tokens that still fit behind so many of a prompt, one at least. Raises PromptTooLong. */
export const contextRoom = ({ llm_config }: ModelConfig, tokens: number): number => {
  const limit = llm_config.max_position_embeddings
  if (tokens >= limit) throw new PromptTooLong({ tokens, limit })
  return limit - tokens
}
