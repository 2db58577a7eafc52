/** Loads the tokenizer of a model directory: tokenizer.json, or vocab.json and merges.txt, and every file that adds tokens. */
import { readdir } from "node:fs/promises"
import { join } from "node:path"
import type { FileFailed } from "@speedq/formats"
import * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import { TokenizerInvalid, TokenizerMissing } from "../Errors.ts"
import { attempt, decodeJson, ifPresent, readBytes } from "../internal/files.ts"
import { makeTokenizer, type TokenizerParts } from "./makeTokenizer.ts"
import type { AddedToken, Tokenizer } from "./Tokenizer.ts"
import { SpecialTokensMap, specialTexts, TokenizerConfig, TokenizerJson, Vocabulary } from "./tokenizerFiles.ts"

export type LoadTokenizerError = FileFailed | TokenizerInvalid | TokenizerMissing

/**
 * Loads a Qwen2-format tokenizer. Added tokens are the union over tokenizer.json, tokenizer_config.json and
 * added_tokens.json; one is special if any of these or special_tokens_map.json says so.
 */
export const loadTokenizer = Effect.fnUntraced(function* (
  directory: string
): Effect.fn.Return<Tokenizer, LoadTokenizerError> {
  const base = (yield* fromTokenizerJson(directory)) ?? (yield* fromVocabularyAndMerges(directory))
  if (base === undefined) {
    const lookedFor = ["tokenizer.json", "vocab.json with merges.txt"]
    return yield* new TokenizerMissing({ directory, lookedFor, found: yield* namesIn(directory) })
  }
  const added = new AddedTokens()
  for (const token of base.parts.addedTokens) yield* added.add(token, base.file)

  const configFile = join(directory, "tokenizer_config.json")
  const config = yield* readOptional(configFile, TokenizerConfig)
  for (const [key, token] of Object.entries(config?.added_tokens_decoder ?? {})) {
    yield* added.add({ id: Number(key), text: token.content, special: token.special }, configFile)
  }
  const addedFile = join(directory, "added_tokens.json")
  for (const [text, id] of Object.entries((yield* readOptional(addedFile, Vocabulary)) ?? {})) {
    yield* added.add({ id, text, special: false }, addedFile)
  }
  const map = yield* readOptional(join(directory, "special_tokens_map.json"), SpecialTokensMap)
  const special = new Set([...specialTexts(config ?? {}), ...specialTexts(map ?? {})])
  return yield* makeTokenizer({ ...base.parts, addedTokens: added.finish(special) }, base.file)
})

interface Base {
  readonly file: string
  readonly parts: TokenizerParts
}

const fromTokenizerJson = Effect.fnUntraced(function* (
  directory: string
): Effect.fn.Return<Base | undefined, FileFailed | TokenizerInvalid> {
  const file = join(directory, "tokenizer.json")
  const json = yield* readOptional(file, TokenizerJson)
  if (json === undefined) return undefined
  const merges: Array<readonly [string, string]> = []
  for (const [rank, merge] of json.model.merges.entries()) {
    const pair = typeof merge === "string" ? splitMerge(merge) : merge
    if (pair === undefined) return yield* notTwoTokens(file, `merge ${rank}`)
    merges.push(pair)
  }
  const addedTokens = json.added_tokens.map(({ id, content, special }) => ({ id, text: content, special }))
  return { file, parts: { vocabulary: new Map(Object.entries(json.model.vocab)), merges, addedTokens } }
})

const fromVocabularyAndMerges = Effect.fnUntraced(function* (
  directory: string
): Effect.fn.Return<Base | undefined, FileFailed | TokenizerInvalid | TokenizerMissing> {
  const file = join(directory, "vocab.json")
  const mergesFile = join(directory, "merges.txt")
  const vocabulary = yield* readOptional(file, Vocabulary)
  const bytes = yield* ifPresent(readBytes(mergesFile))
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
  return { file, parts: { vocabulary: new Map(Object.entries(vocabulary)), merges, addedTokens: [] } }
})

const splitMerge = (text: string): readonly [string, string] | undefined => {
  const [left, right, ...rest] = text.split(" ")
  return left && right && rest.length === 0 ? [left, right] : undefined
}
const notTwoTokens = (file: string, where: string): TokenizerInvalid =>
  new TokenizerInvalid({ file, reason: `${where} is not two tokens with one space between them` })

const readOptional = <S extends Schema.Decoder<unknown>>(file: string, schema: S) =>
  ifPresent(readBytes(file)).pipe(
    Effect.flatMap((bytes) =>
      bytes === undefined
        ? Effect.succeed(undefined)
        : decodeJson(bytes, schema, (reason) => new TokenizerInvalid({ file, reason }))
    )
  )

const namesIn = (directory: string) =>
  attempt(directory, "list", () => readdir(directory)).pipe(Effect.map((names) => names.sort()))

/** Collects added tokens from several files and refuses contradictions. */
class AddedTokens {
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
