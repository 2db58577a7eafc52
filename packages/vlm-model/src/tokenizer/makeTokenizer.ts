/** Checks a vocabulary, merges and added tokens against each other and makes a tokenizer of them. */
import * as Effect from "effect/Effect"
import { TokenizerInvalid } from "../Errors.ts"
import { isId, maxIds, quote, wrongToken } from "./AddedTokens.ts"
import { ByteLevelTokenizer } from "./ByteLevelTokenizer.ts"
import { type MergeRanks, maxMerges } from "./BytePairMerges.ts"
import { byteCharacters, tokenTextToBytes } from "./byteAlphabet.ts"
import type { Tokenizer, TokenizerParts } from "./Tokenizer.ts"

/**
 * Makes a tokenizer. `source` is what errors name. Fails with TokenizerInvalid when a byte has no token, a merge
 * has a part or product that is no token, an id has two tokens, a text is not of the byte alphabet, or merges are missing.
 */
export const makeTokenizer = Effect.fnUntraced(function* (
  parts: TokenizerParts,
  source: string
): Effect.fn.Return<Tokenizer, TokenizerInvalid> {
  const invalid = (reason: string) => new TokenizerInvalid({ file: source, reason })
  const addedTexts = new Set(parts.addedTokens.map(({ text }) => text))
  const texts: Array<string | undefined> = new Array(idCount(parts.vocabulary)).fill(undefined)
  for (const [text, id] of parts.vocabulary) {
    if (!isId(id)) return yield* invalid(`token ${quote(text)} has id ${id}; ids are integers from 0 to ${maxIds - 1}`)
    if (texts[id] !== undefined) return yield* invalid(`id ${id} belongs to two tokens, ${quote(texts[id], text)}`)
    if (tokenTextToBytes(text) === undefined && !addedTexts.has(text)) {
      return yield* invalid(`token ${quote(text)} (id ${id}) has a character outside the byte alphabet`)
    }
    texts[id] = text
  }
  const missing = byteCharacters.findIndex((character) => !parts.vocabulary.has(character))
  if (missing >= 0) {
    const name = `0x${missing.toString(16).padStart(2, "0")} (${quote(byteCharacters[missing]!)})`
    return yield* invalid(`byte ${name} has no token, so not every text could be encoded`)
  }
  const wrong = wrongToken(parts.addedTokens)
  if (wrong !== undefined) return yield* invalid(wrong)
  for (const { text, id } of parts.addedTokens) {
    if (texts[id] !== undefined && texts[id] !== text) {
      return yield* invalid(`id ${id} belongs to two tokens, ${quote(texts[id], text)}`)
    }
    const other = parts.vocabulary.get(text)
    if (other !== undefined && other !== id) {
      return yield* invalid(`token ${quote(text)} has two ids, ${other} in the vocabulary and ${id} as an added token`)
    }
  }
  const longer = parts.merges.length > 0 ? undefined : unreachable(parts.vocabulary, addedTexts)
  if (longer !== undefined) {
    return yield* invalid(
      `there are no merges, so text would become single bytes, but token ${quote(longer)} has several; the file is damaged, get it again`
    )
  }
  const merges = yield* rankMerges(parts, invalid)
  return new ByteLevelTokenizer({ vocabulary: parts.vocabulary, texts, merges, addedTokens: parts.addedTokens })
})

/** A token of several bytes, which only merges make. */
const unreachable = (vocabulary: ReadonlyMap<string, number>, added: ReadonlySet<string>): string | undefined => {
  for (const text of vocabulary.keys()) if ([...text].length > 1 && !added.has(text)) return text
  return undefined
}

const rankMerges = Effect.fnUntraced(function* (
  { vocabulary, merges }: TokenizerParts,
  invalid: (reason: string) => TokenizerInvalid
): Effect.fn.Return<MergeRanks, TokenizerInvalid> {
  if (merges.length > maxMerges) return yield* invalid(`${merges.length} merges; at most ${maxMerges} are supported`)
  const ranks: MergeRanks = {
    left: new Int32Array(merges.length),
    right: new Int32Array(merges.length),
    product: new Int32Array(merges.length)
  }
  for (let rank = 0; rank < merges.length; rank++) {
    const [left, right] = merges[rank]!
    const parts = [left, right, left + right] as const
    const ids = parts.map((text) => vocabulary.get(text))
    const unknown = ids.indexOf(undefined)
    if (unknown >= 0) {
      return yield* invalid(
        `merge ${rank} (${quote(left, right)}) needs the token ${quote(parts[unknown]!)}, which does not exist`
      )
    }
    ranks.left[rank] = ids[0]!
    ranks.right[rank] = ids[1]!
    ranks.product[rank] = ids[2]!
  }
  return ranks
})

const idCount = (vocabulary: ReadonlyMap<string, number>): number => {
  let count = 0
  for (const id of vocabulary.values()) if (isId(id) && id >= count) count = id + 1
  return count
}
