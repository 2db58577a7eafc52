/** The tokenizer's definition written for clarity: a RegExp for the pieces, merges by trying every pair. */
import type { TokenizerParts } from "../src/index.ts"
import { byteCharacters } from "../src/tokenizer/byteAlphabet.ts"

// JavaScript's \s with U+0085 and without U+FEFF.
const s = "\\u0009-\\u000d\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000"
const pattern = new RegExp(
  [
    "'(?:[sS\\u017f]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])",
    "[^\\r\\n\\p{L}\\p{N}]?\\p{L}+",
    "\\p{N}",
    ` ?[^${s}\\p{L}\\p{N}]+[\\r\\n]*`,
    `[${s}]*[\\r\\n]+`,
    `[${s}]+(?![^${s}])`,
    `[${s}]+`
  ].join("|"),
  "gu"
)

export const naivePieces = (text: string): ReadonlyArray<string> => text.match(pattern) ?? []

/** Merges the best pair everywhere, then looks for the next one. */
export const naiveMerge = (
  symbols: ReadonlyArray<string>,
  ranks: ReadonlyMap<string, number>
): ReadonlyArray<string> => {
  let word = [...symbols]
  for (;;) {
    const rankAt = (i: number) => ranks.get(`${word[i]} ${word[i + 1]}`) ?? Number.POSITIVE_INFINITY
    let best = Number.POSITIVE_INFINITY
    for (let i = 0; i + 1 < word.length; i++) best = Math.min(best, rankAt(i))
    if (best === Number.POSITIVE_INFINITY) return word
    const merged: Array<string> = []
    for (let i = 0; i < word.length; i++) merged.push(rankAt(i) === best ? `${word[i]}${word[++i]}` : word[i]!)
    word = merged
  }
}

export const naiveTokenizer = ({ vocabulary, merges, addedTokens }: TokenizerParts) => {
  const ranks = new Map(merges.map(([left, right], rank) => [`${left} ${right}`, rank]))
  const byLength = [...addedTokens].sort((a, b) => b.text.length - a.text.length)
  const encodePlain = (text: string): ReadonlyArray<number> =>
    naivePieces(text).flatMap((piece) =>
      naiveMerge(
        [...Buffer.from(piece, "utf8")].map((byte) => byteCharacters[byte]!),
        ranks
      ).map((token) => vocabulary.get(token)!)
    )
  return (text: string): ReadonlyArray<number> => {
    const ids: Array<number> = []
    const normalized = text.normalize("NFC")
    let plain = 0
    for (let at = 0; at < normalized.length; ) {
      const added = byLength.find((token) => normalized.startsWith(token.text, at))
      if (added === undefined) at++
      else {
        ids.push(...encodePlain(normalized.slice(plain, at)), added.id)
        at += added.text.length
        plain = at
      }
    }
    return [...ids, ...encodePlain(normalized.slice(plain))]
  }
}
