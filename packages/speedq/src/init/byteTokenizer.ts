/** A tokenizer for models whose vocabulary is not at hand: text is its bytes, special tokens have their real ids. */
import {
  type AddedToken,
  type LanguageConfig,
  SpecialTokens,
  tokenizerParts,
  writeSentencePiece,
  writeTokenizer
} from "@speedq/vlm-model"

type Kind = Pick<LanguageConfig, "model_type">

/** The first added token of the released models. */
const firstAdded = { qwen2: 151_643, qwen3: 151_643, internlm2: 92_538 } as const

/** The added tokens where the released models have them: to 151673 with Qwen2, to 151677 with Qwen3, to 92552 with InternLM2. */
const addedTokens = ({ model_type }: Kind): ReadonlyArray<AddedToken> =>
  SpecialTokens.addedTokensOf(model_type).map((token, index) => ({ ...token, id: firstAdded[model_type] + index }))

/**
 * Writes the files in the model's own format: the 256 bytes at ids 0 to 255, with InternLM2 at 3 to 258 and a space at 259, and the added tokens. The
 * ids between stand for nothing. Fails with FileFailed, TokenizerInvalid.
 */
export const writeByteTokenizer = (directory: string, kind: Kind) =>
  kind.model_type === "internlm2"
    ? writeSentencePiece(directory, addedTokens(kind))
    : writeTokenizer(directory, { ...tokenizerParts([], []), addedTokens: addedTokens(kind) })
