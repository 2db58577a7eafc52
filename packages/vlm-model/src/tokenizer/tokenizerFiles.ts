/** The files of a tokenizer directory. What is a literal here is what the tokenizers do; other values are refused. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { qwen2Pattern } from "./preTokenize.ts"

const absentOr = <S extends Schema.Top>(schema: S) => Schema.optionalKey(Schema.NullOr(schema))
const noPart = absentOr(Schema.Literal(""))
const never = absentOr(Schema.Literal(false))

/** Options that these tokenizers never set: they would change where an added token matches. */
const addedTokenFields = {
  content: Schema.String,
  lstrip: never,
  rstrip: never,
  single_word: never,
  special: Schema.Boolean.pipe(Schema.withDecodingDefaultKey(Effect.succeed(false)))
}

const Split = Schema.Struct({
  type: Schema.Literal("Split"),
  pattern: Schema.Struct({ Regex: Schema.Literal(qwen2Pattern) }),
  behavior: Schema.Literal("Isolated"),
  invert: Schema.Literal(false)
})
const ByteLevel = Schema.Struct({
  type: Schema.Literal("ByteLevel"),
  add_prefix_space: Schema.Literal(false),
  use_regex: Schema.Literal(false)
})
const OfTypeByteLevel = Schema.Struct({ type: Schema.Literal("ByteLevel") })

/** Token text -> id. */
export const Vocabulary = Schema.Record(Schema.String, Schema.Int)

/** tokenizer.json. */
export const TokenizerJson = Schema.Struct({
  added_tokens: Schema.Array(Schema.Struct({ id: Schema.Int, ...addedTokenFields })),
  normalizer: Schema.Struct({ type: Schema.Literal("NFC") }),
  pre_tokenizer: Schema.Struct({
    type: Schema.Literal("Sequence"),
    pretokenizers: Schema.Tuple([Split, ByteLevel])
  }),
  post_processor: absentOr(OfTypeByteLevel),
  decoder: OfTypeByteLevel,
  model: Schema.Struct({
    type: Schema.Literal("BPE"),
    dropout: absentOr(Schema.Literal(0)),
    continuing_subword_prefix: noPart,
    end_of_word_suffix: noPart,
    byte_fallback: never,
    ignore_merges: never,
    vocab: Vocabulary,
    merges: Schema.Array(Schema.Union([Schema.String, Schema.Tuple([Schema.String, Schema.String])]))
  })
})

const SpecialText = Schema.Union([Schema.String, Schema.Struct({ content: Schema.String })])
const specialFields = {
  bos_token: absentOr(SpecialText),
  eos_token: absentOr(SpecialText),
  unk_token: absentOr(SpecialText),
  pad_token: absentOr(SpecialText),
  additional_special_tokens: absentOr(Schema.Array(SpecialText))
}

/** special_tokens_map.json. */
export const SpecialTokensMap = Schema.Struct(specialFields)

/** tokenizer_config.json. */
export const TokenizerConfig = Schema.Struct({
  ...specialFields,
  add_bos_token: absentOr(Schema.Boolean),
  added_tokens_decoder: absentOr(Schema.Record(Schema.String, Schema.Struct(addedTokenFields)))
})

export const textOf = (token: typeof SpecialText.Type): string => (typeof token === "string" ? token : token.content)

/** Every text that these files call special. */
export const specialTexts = (map: typeof SpecialTokensMap.Type): ReadonlyArray<string> =>
  [map.bos_token, map.eos_token, map.unk_token, map.pad_token, ...(map.additional_special_tokens ?? [])]
    .filter((token) => token !== null && token !== undefined)
    .map(textOf)
