/** A tokenizer for models whose vocabulary is not at hand: text is its bytes, special tokens have their real ids. */
import { SpecialTokens, type TokenizerParts, tokenizerParts } from "@speedq/vlm-model"

/**
 * The 256 bytes at ids 0 to 255, and InternVL3's added tokens as the last ids of a vocabulary of `rows`, where the released
 * models have them (151643 to 151673). The ids between stand for nothing.
 */
export const byteTokenizer = (rows: number): TokenizerParts => {
  const parts = tokenizerParts([])
  const first = rows - SpecialTokens.internvlAddedTokens.length
  const addedTokens = parts.addedTokens.map((token, index) => ({ ...token, id: first + index }))
  return { ...parts, addedTokens }
}
