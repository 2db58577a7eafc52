/** The added tokens of a tokenizer: found in a text before anything else is, the longest at the leftmost place. */
import type { AddedToken } from "./Tokenizer.ts"

export class AddedTokens {
  readonly all: ReadonlyArray<AddedToken>
  private readonly byText: ReadonlyMap<string, AddedToken>
  private readonly byId: ReadonlyMap<number, AddedToken>
  private readonly pattern: RegExp | undefined

  constructor(tokens: ReadonlyArray<AddedToken>) {
    this.all = tokens
    this.byText = new Map(tokens.map((token) => [token.text, token]))
    this.byId = new Map(tokens.map((token) => [token.id, token]))
    this.pattern = longestFirst(tokens.map(({ text }) => text))
  }

  idOf(text: string): number | undefined {
    return this.byText.get(text)?.id
  }

  of(id: number): AddedToken | undefined {
    return this.byId.get(id)
  }

  below(rows: number): ReadonlyArray<AddedToken> {
    return this.all.filter(({ id }) => id < rows)
  }

  /** Number of ids, where a vocabulary has so many. */
  idsWith(vocabulary: number): number {
    return this.all.reduce((size, { id }) => Math.max(size, id + 1), vocabulary)
  }

  /** Walks a text: the tokens that are not in `asText`, and what is between them, which may be empty. */
  split(
    text: string,
    asText: ReadonlySet<string> | undefined,
    found: { readonly words: (text: string) => void; readonly token: (id: number) => void }
  ): void {
    let start = 0
    for (const match of this.pattern === undefined ? [] : text.matchAll(this.pattern)) {
      if (asText?.has(match[0])) continue
      found.words(text.slice(start, match.index))
      found.token(this.idOf(match[0])!)
      start = match.index + match[0].length
    }
    found.words(text.slice(start))
  }
}

// Bounds what a hostile file can make us allocate; the largest known vocabularies have a quarter million tokens.
export const maxIds = 2 ** 22

export const isId = (id: number): boolean => Number.isInteger(id) && id >= 0 && id < maxIds

/** Texts of tokens for a message. */
export const quote = (...texts: ReadonlyArray<string>): string =>
  texts.map((text) => JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}...` : text)).join(" and ")

/** What is wrong with the first added token that is none; undefined where all are. */
export const wrongToken = (tokens: ReadonlyArray<AddedToken>): string | undefined => {
  for (const { text, id } of tokens) {
    if (text === "") return `added token ${id} is the empty text`
    if (!isId(id)) return `added token ${quote(text)} has id ${id}; ids are integers from 0 to ${maxIds - 1}`
  }
  return undefined
}

/** Matches the longest of the texts that starts at the leftmost place; undefined for none. */
export const longestFirst = (texts: ReadonlyArray<string>): RegExp | undefined => {
  if (texts.length === 0) return undefined
  const escaped = [...texts]
    .sort((a, b) => b.length - a.length)
    .map((text) => text.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&"))
  return new RegExp(escaped.join("|"), "g")
}
