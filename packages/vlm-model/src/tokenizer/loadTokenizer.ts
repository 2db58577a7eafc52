/**
 * Loads the tokenizer of a model directory: tokenizer.model, tokenizer.json, or vocab.json and merges.txt, and every file that adds
 * tokens.
 */
import { type FileFailed, ifPresent, mostBytes, namesIn, pathIn, readBytes } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { TokenizerInvalid, TokenizerMissing } from "../Errors.ts"
import { decodeJson } from "../internal/decodeJson.ts"
import { makeTokenizer } from "./makeTokenizer.ts"
import { makeSentencePiece } from "./sentencePiece/makeSentencePiece.ts"
import { readSentencePiece } from "./sentencePiece/modelFile.ts"
import { MessageMalformed } from "./sentencePiece/protobuf.ts"
import type { AddedToken, Tokenizer, TokenizerParts } from "./Tokenizer.ts"
import { SpecialTokensMap, specialTexts, TokenizerConfig, TokenizerJson, textOf, Vocabulary } from "./tokenizerFiles.ts"

export type LoadTokenizerError = FileFailed | TokenizerInvalid | TokenizerMissing

/**
 * Loads a tokenizer of Qwen2's format, or of InternLM2's where there is a tokenizer.model. Added tokens are the union over its own
 * file, tokenizer_config.json and added_tokens.json; one is special if any of these or special_tokens_map.json says so.
 */
export const loadTokenizer = Effect.fnUntraced(function* (
  directory: string
): Effect.fn.Return<Tokenizer, LoadTokenizerError> {
  const base =
    (yield* fromTokenizerModel(directory)) ??
    (yield* fromTokenizerJson(directory)) ??
    (yield* fromVocabularyAndMerges(directory))
  if (base === undefined) {
    const lookedFor = ["tokenizer.model", "tokenizer.json", "vocab.json with merges.txt"]
    return yield* new TokenizerMissing({ directory, lookedFor, found: yield* namesIn(directory) })
  }
  const added = new AddedTokenFiles()
  for (const token of base.addedTokens) yield* added.add(token, base.file)

  const configFile = pathIn(directory, "tokenizer_config.json")
  const config = yield* readOptional(configFile, TokenizerConfig)
  for (const [key, token] of Object.entries(config?.added_tokens_decoder ?? {})) {
    yield* added.add({ id: Number(key), text: token.content, special: token.special }, configFile)
  }
  const addedFile = pathIn(directory, "added_tokens.json")
  for (const [text, id] of Object.entries((yield* readOptional(addedFile, Vocabulary)) ?? {})) {
    yield* added.add({ id, text, special: false }, addedFile)
  }
  const map = yield* readOptional(pathIn(directory, "special_tokens_map.json"), SpecialTokensMap)
  const special = new Set([...specialTexts(config ?? {}), ...specialTexts(map ?? {})])
  return yield* base.make(added.finish(special), config ?? {})
})

/** A tokenizer but for the tokens that other files add. */
interface Base {
  readonly file: string
  readonly addedTokens: ReadonlyArray<AddedToken>
  readonly make: (
    addedTokens: ReadonlyArray<AddedToken>,
    config: typeof TokenizerConfig.Type
  ) => Effect.Effect<Tokenizer, TokenizerInvalid>
}

const byteLevel = (file: string, { addedTokens, ...parts }: TokenizerParts): Base => ({
  file,
  addedTokens,
  make: (all) => makeTokenizer({ ...parts, addedTokens: all }, file)
})

/** SentencePiece's own tokens for what is unknown, begins and ends a text are matched in texts too, as transformers does. */
const fromTokenizerModel = Effect.fnUntraced(function* (
  directory: string
): Effect.fn.Return<Base | undefined, FileFailed | TokenizerInvalid> {
  const file = pathIn(directory, "tokenizer.model")
  const bytes = yield* ifPresent(readBytes(file, mostBytes.text))
  if (bytes === undefined) return undefined
  const model = yield* Effect.try({
    try: () => readSentencePiece(bytes),
    catch: (error) => {
      if (!(error instanceof MessageMalformed)) throw error
      return new TokenizerInvalid({ file, reason: `not a SentencePiece model: ${error.message}` })
    }
  })
  const textOfId = (id: number): string | undefined => model.pieces[id]?.text
  const own = [model.unknownId, model.startId, model.endId].flatMap((id) => {
    const text = textOfId(id)
    return text === undefined ? [] : [{ id, text, special: true }]
  })
  return {
    file,
    addedTokens: own,
    make: (addedTokens, { add_bos_token, bos_token, pad_token }) => {
      const start = isSet(bos_token) ? textOf(bos_token) : textOfId(model.startId)
      const end = isSet(pad_token) ? textOf(pad_token) : textOfId(model.endId)
      if (end === undefined)
        return Effect.fail(new TokenizerInvalid({ file, reason: "it has no token that ends a text" }))
      const startOfText = (add_bos_token ?? true) ? start : undefined
      return makeSentencePiece({ model, addedTokens, startOfText, endOfText: end }, file)
    }
  }
})

const isSet = <A>(value: A | null | undefined): value is A => value !== null && value !== undefined

/**
 * SentencePiece's tokens in tokenizer.json, as transformers writes InternLM2's. Of the models that are supported only InternLM2 has such
 * tokens, and it comes with the tokenizer.model that they are made of.
 */
const sentencePieceReason =
  "it has byte_fallback: these are SentencePiece's tokens, as InternLM2 has them, which are read from tokenizer.model; put the model's own tokenizer.model beside it"

/** What is wrong with a file that is not read, in words of its kind. */
const namingKind = (file: string) => (error: FileFailed | TokenizerInvalid) =>
  readOptional(file, Schema.Struct({ model: Schema.Struct({ byte_fallback: Schema.Literal(true) }) })).pipe(
    Effect.matchEffect({
      onSuccess: () => Effect.fail(new TokenizerInvalid({ file, reason: sentencePieceReason })),
      onFailure: () => Effect.fail(error)
    })
  )

const fromTokenizerJson = Effect.fnUntraced(function* (
  directory: string
): Effect.fn.Return<Base | undefined, FileFailed | TokenizerInvalid> {
  const file = pathIn(directory, "tokenizer.json")
  const json = yield* Effect.catch(readOptional(file, TokenizerJson), namingKind(file))
  if (json === undefined) return undefined
  const merges: Array<readonly [string, string]> = []
  for (const [rank, merge] of json.model.merges.entries()) {
    const pair = typeof merge === "string" ? splitMerge(merge) : merge
    if (pair === undefined) return yield* notTwoTokens(file, `merge ${rank}`)
    merges.push(pair)
  }
  const addedTokens = json.added_tokens.map(({ id, content, special }) => ({ id, text: content, special }))
  return byteLevel(file, { vocabulary: new Map(Object.entries(json.model.vocab)), merges, addedTokens })
})

const fromVocabularyAndMerges = Effect.fnUntraced(function* (
  directory: string
): Effect.fn.Return<Base | undefined, FileFailed | TokenizerInvalid | TokenizerMissing> {
  const file = pathIn(directory, "vocab.json")
  const mergesFile = pathIn(directory, "merges.txt")
  const vocabulary = yield* readOptional(file, Vocabulary)
  const bytes = yield* ifPresent(readBytes(mergesFile, mostBytes.text))
  if (vocabulary === undefined && bytes === undefined) return undefined
  if (vocabulary === undefined || bytes === undefined) {
    const lookedFor = [vocabulary === undefined ? "vocab.json (beside merges.txt)" : "merges.txt (beside vocab.json)"]
    return yield* new TokenizerMissing({ directory, lookedFor, found: yield* namesIn(directory) })
  }
  const merges: Array<readonly [string, string]> = []
  for (const [index, line] of new TextDecoder().decode(bytes).split("\n").entries()) {
    const merge = line.trim()
    if (merge === "" || (index === 0 && merge.startsWith("#version"))) continue
    const pair = splitMerge(merge)
    if (pair === undefined) return yield* notTwoTokens(mergesFile, `line ${index + 1}`)
    merges.push(pair)
  }
  return byteLevel(file, { vocabulary: new Map(Object.entries(vocabulary)), merges, addedTokens: [] })
})

const splitMerge = (text: string): readonly [string, string] | undefined => {
  const [left, right, ...rest] = text.split(" ")
  return left && right && rest.length === 0 ? [left, right] : undefined
}
const notTwoTokens = (file: string, where: string): TokenizerInvalid =>
  new TokenizerInvalid({ file, reason: `${where} is not two tokens with one space between them` })

const readOptional = <S extends Schema.Decoder<unknown>>(file: string, schema: S) =>
  ifPresent(readBytes(file, mostBytes.text)).pipe(
    Effect.flatMap((bytes) =>
      bytes === undefined
        ? Effect.succeed(undefined)
        : decodeJson(bytes, schema, (reason) => new TokenizerInvalid({ file, reason }))
    )
  )

/** Collects added tokens from several files and refuses contradictions. */
class AddedTokenFiles {
  private readonly byId = new Map<number, AddedToken>()
  private readonly byText = new Map<string, AddedToken>()

  add(token: AddedToken, file: string): Effect.Effect<void, TokenizerInvalid> {
    const known = this.byId.get(token.id) ?? this.byText.get(token.text)
    if (known !== undefined && (known.id !== token.id || known.text !== token.text)) {
      const name = ({ id, text }: AddedToken) => `${JSON.stringify(text)} (id ${id})`
      const reason = `added token ${name(token)} contradicts ${name(known)}, which was read before it`
      return Effect.fail(new TokenizerInvalid({ file, reason }))
    }
    const merged = { ...token, special: token.special || (known?.special ?? false) }
    this.byId.set(token.id, merged)
    this.byText.set(token.text, merged)
    return Effect.void
  }

  finish(special: ReadonlySet<string>): ReadonlyArray<AddedToken> {
    const tokens = [...this.byId.values()].sort((a, b) => a.id - b.id)
    return tokens.map((token) => (special.has(token.text) ? { ...token, special: true } : token))
  }
}
