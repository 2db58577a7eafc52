/** Writes a tokenizer directory in the format that Qwen2 tokenizers are published in. */
import { join } from "node:path"
import { AtomicFile, attemptOn, type FileFailed, makeDirectories } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type { TokenizerInvalid } from "../Errors.ts"
import { byteCharacters, bytesInIdOrder } from "./byteAlphabet.ts"
import { makeTokenizer } from "./makeTokenizer.ts"
import { qwen2Pattern } from "./preTokenize.ts"
import { endOfText, internvlAddedTokens, messageEnd } from "./SpecialTokens.ts"
import type { TokenizerParts } from "./Tokenizer.ts"

/**
 * The parts of a tokenizer whose vocabulary is the 256 bytes, then the product of every merge, then the added tokens
 * (by default InternVL3's), with ids in this order. Merges are in the byte alphabet, a space being U+0120.
 */
export const tokenizerParts = (
  merges: ReadonlyArray<readonly [string, string]>,
  added: ReadonlyArray<{ readonly text: string; readonly special: boolean }> = internvlAddedTokens
): TokenizerParts => {
  const vocabulary = new Map(bytesInIdOrder.map((byte, id) => [byteCharacters[byte]!, id]))
  for (const [left, right] of merges) if (!vocabulary.has(left + right)) vocabulary.set(left + right, vocabulary.size)
  const first = vocabulary.size
  return { vocabulary, merges, addedTokens: added.map((token, index) => ({ ...token, id: first + index })) }
}

/**
 * Writes tokenizer.json, vocab.json, merges.txt, added_tokens.json, tokenizer_config.json and special_tokens_map.json,
 * and gives what was written. Fails with TokenizerInvalid, before writing, when the parts make no tokenizer.
 */
export const writeTokenizer = Effect.fnUntraced(function* (
  directory: string,
  parts: TokenizerParts
): Effect.fn.Return<ReadonlyArray<AtomicFile.Written>, FileFailed | TokenizerInvalid> {
  yield* makeTokenizer(parts, directory)
  yield* attemptOn(directory)("create", () => makeDirectories(directory))
  return yield* Effect.forEach(Object.entries(tokenizerFiles(parts)), ([name, content]) =>
    AtomicFile.writeWhole(join(directory, name), new TextEncoder().encode(content))
  )
})

export const json = (value: unknown): string => `${JSON.stringify(value, undefined, 2)}\n`

const tokenizerFiles = ({ vocabulary, merges, addedTokens }: TokenizerParts): Readonly<Record<string, string>> => {
  const lines = merges.map(([left, right]) => `${left} ${right}`)
  const vocab = Object.fromEntries(vocabulary)
  const flags = { lstrip: false, normalized: false, rstrip: false, single_word: false }
  const has = (text: string) => addedTokens.some((token) => token.text === text)
  const special = {
    additional_special_tokens: addedTokens
      .filter((token) => token.special && token.text !== endOfText)
      .map(({ text }) => text),
    ...(has(messageEnd) ? { eos_token: messageEnd } : {}),
    ...(has(endOfText) ? { pad_token: endOfText } : {})
  }
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: false, use_regex: false }
  const split = { type: "Split", pattern: { Regex: qwen2Pattern }, behavior: "Isolated", invert: false }
  return {
    "tokenizer.json": json({
      version: "1.0",
      truncation: null,
      padding: null,
      added_tokens: addedTokens.map(({ id, text, special }) => ({ id, content: text, ...flags, special })),
      normalizer: { type: "NFC" },
      pre_tokenizer: { type: "Sequence", pretokenizers: [split, byteLevel] },
      post_processor: byteLevel,
      decoder: byteLevel,
      model: {
        type: "BPE",
        dropout: null,
        unk_token: null,
        continuing_subword_prefix: "",
        end_of_word_suffix: "",
        fuse_unk: false,
        byte_fallback: false,
        vocab,
        merges: lines
      }
    }),
    "vocab.json": json(vocab),
    "merges.txt": ["#version: 0.2", ...lines, ""].join("\n"),
    "added_tokens.json": json(Object.fromEntries(addedTokens.map(({ text, id }) => [text, id]))),
    "tokenizer_config.json": json({
      add_bos_token: false,
      add_prefix_space: false,
      added_tokens_decoder: Object.fromEntries(
        addedTokens.map(({ id, text, special }) => [id, { content: text, ...flags, special }])
      ),
      ...special,
      bos_token: null,
      clean_up_tokenization_spaces: false,
      errors: "replace",
      split_special_tokens: false,
      tokenizer_class: "Qwen2Tokenizer",
      unk_token: null
    }),
    "special_tokens_map.json": json(special)
  }
}
