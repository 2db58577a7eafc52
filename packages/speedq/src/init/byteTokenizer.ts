/** A tokenizer for models whose vocabulary is not at hand: text is its bytes, special tokens have their real ids. */
import { type LanguageConfig, SpecialTokens, type TokenizerParts, tokenizerParts } from "@speedq/vlm-model"

/** Tokens of the vocabulary of Qwen2 and of Qwen3; the added tokens follow. */
const vocabularySize = 151_643

/**
 * The 256 bytes at ids 0 to 255, and the added tokens of the model's tokenizer where the released models have them: from 151643
 * to 151673 with Qwen2, to 151677 with Qwen3. The ids between stand for nothing.
 */
export const byteTokenizer = ({ model_type }: Pick<LanguageConfig, "model_type">): TokenizerParts => {
  const parts = tokenizerParts([], SpecialTokens.addedTokensOf(model_type))
  const addedTokens = parts.addedTokens.map((token, index) => ({ ...token, id: vocabularySize + index }))
  return { ...parts, addedTokens }
}
