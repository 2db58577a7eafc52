/** A text in pieces: tokens that give it its form, and words, which stay words also where they spell such a token out. */
import { controlTokens } from "../tokenizer/controlTokens.ts"
import { startIds, type Tokenizer } from "../tokenizer/Tokenizer.ts"

export type Piece = { readonly token: string; readonly times: number } | { readonly words: string }

export type Rendered = ReadonlyArray<Piece>

export const token = (text: string, times = 1): Piece => ({ token: text, times })
export const words = (text: string): Piece => ({ words: text })

/** As one text, in which tokens and words that look like them are no longer told apart. */
export const spellOut = (rendered: Rendered): string =>
  rendered.map((piece) => ("words" in piece ? piece.words : piece.token.repeat(piece.times))).join("")

/** Token ids of a whole sequence: what every one begins with, then its pieces. */
export const encodeSequence = (tokenizer: Tokenizer, rendered: Rendered): Int32Array =>
  Int32Array.from([...startIds(tokenizer), ...encodeRendered(tokenizer, rendered)])

/** Token ids; what the words spell out is encoded as any other text. */
export const encodeRendered = (tokenizer: Tokenizer, rendered: Rendered): Int32Array => {
  const control = controlTokens(tokenizer)
  const ids: Array<number> = []
  let pending = ""
  const flush = () => {
    // Words on both sides of a piece's edge can merge into one token: they are encoded together.
    for (const id of tokenizer.encode(pending, control)) ids.push(id)
    pending = ""
  }
  for (const piece of rendered) {
    if ("words" in piece) {
      pending += piece.words
      continue
    }
    flush()
    const own = tokenizer.encode(piece.token)
    for (let i = 0; i < piece.times; i++) for (const id of own) ids.push(id)
  }
  flush()
  return Int32Array.from(ids)
}
