/**
 * A Qwen2-format byte-level vocabulary in which every word of the data set is one token.
 *
 * Byte-pair merges are learned from a list of words until each word is a single token. Learning applies merges in the order of their
 * ranks to every word, which is what encoding does too, so encoding a word gives back its token. Chinese text has no spaces between
 * words: characters are completed first, and words are built of whole characters.
 */

import type { TokenizerParts } from "@speedq/vlm-model"
import { bytesToTokenText, tokenizerParts } from "@speedq/vlm-model"

type Pair = readonly [left: string, right: string]

const mergePair = (symbols: ReadonlyArray<string>, [left, right]: Pair): Array<string> => {
  const merged: Array<string> = []
  for (let i = 0; i < symbols.length; i++) {
    if (symbols[i] === left && symbols[i + 1] === right) {
      merged.push(left + right)
      i++
    } else merged.push(symbols[i]!)
  }
  return merged
}

/** The most frequent neighbours; the smaller text wins a draw, so that the result depends on nothing but the words. */
const bestPair = (words: ReadonlyArray<ReadonlyArray<string>>): Pair | undefined => {
  const counts = new Map<string, { readonly pair: Pair; count: number }>()
  for (const symbols of words) {
    for (let i = 0; i + 1 < symbols.length; i++) {
      const pair: Pair = [symbols[i]!, symbols[i + 1]!]
      const entry = counts.get(pair.join(" "))
      if (entry === undefined) counts.set(pair.join(" "), { pair, count: 1 })
      else entry.count++
    }
  }
  const [best] = [...counts].sort(([a, { count: n }], [b, { count: m }]) => m - n || (a < b ? -1 : 1))
  return best?.[1].pair
}

/** Extends `merges` until every text is one token. */
const learn = (texts: ReadonlyArray<string>, merges: Array<Pair>): void => {
  const bytes = (text: string): ReadonlyArray<string> => [...bytesToTokenText(new TextEncoder().encode(text))]
  let words = texts.map((text) => merges.reduce(mergePair, bytes(text)))
  for (let pair = bestPair(words); pair !== undefined; pair = bestPair(words)) {
    const found = pair
    merges.push(found)
    words = words.map((symbols) => mergePair(symbols, found))
  }
}

/** The tokenizer in which each of `words` (a piece of the pre-tokenizer, or a Chinese word inside one) is a token. */
export const makeVocabulary = (words: ReadonlyArray<string>): TokenizerParts => {
  const sorted = [...new Set(words)].sort()
  const characters = [...new Set(sorted.join(""))].filter((character) => character > "\u007f").sort()
  const merges: Array<Pair> = []
  learn(characters, merges)
  learn(sorted, merges)
  return tokenizerParts(merges)
}
