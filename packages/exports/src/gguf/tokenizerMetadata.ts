/** The tokenizer as metadata: Qwen's byte-level BPE, as llama.cpp knows it, and the chat template. */
import type { ModelDirectory, TokenizerParts } from "@speedq/vlm-model"
import { chatTemplate } from "../layouts/huggingfaceTokenizer.ts"
import { bool, i32s, type Metadata, string, strings, u32 } from "./metadata.ts"

/** Kinds of tokens there: `control` ones are not shown, `added` ones are, and both are matched as a whole. */
const kinds = { normal: 1, control: 3, added: 4, unused: 5 } as const

/** Text and kind of every row of the embedding; rows without a token need a text of their own. */
const tokensOf = ({ vocabulary, addedTokens }: TokenizerParts, rows: number) => {
  const texts = Array.from({ length: rows }, (_, id) => `[PAD${id}]`)
  const types = new Array<number>(rows).fill(kinds.unused)
  for (const [text, id] of vocabulary) {
    texts[id] = text
    types[id] = kinds.normal
  }
  for (const { id, text, special } of addedTokens) {
    texts[id] = text
    types[id] = special ? kinds.control : kinds.added
  }
  return { texts, types }
}

/** Keys of the tokenizer; `parts` are those of the model's. */
export const tokenizerMetadata = ({ config, tokens }: ModelDirectory, parts: TokenizerParts): Metadata => {
  const { texts, types } = tokensOf(parts, config.llm_config.vocab_size)
  return {
    "tokenizer.ggml.model": string("gpt2"),
    "tokenizer.ggml.pre": string("qwen2"),
    "tokenizer.ggml.tokens": strings(texts),
    "tokenizer.ggml.token_type": i32s(types),
    "tokenizer.ggml.merges": strings(parts.merges.map(([left, right]) => `${left} ${right}`)),
    "tokenizer.ggml.bos_token_id": u32(tokens.endOfText),
    "tokenizer.ggml.eos_token_id": u32(tokens.messageEnd),
    "tokenizer.ggml.padding_token_id": u32(tokens.endOfText),
    "tokenizer.ggml.add_bos_token": bool(false),
    "tokenizer.chat_template": string(chatTemplate(config.system_message))
  }
}
