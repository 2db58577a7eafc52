/** `<image>` in a text stands for an image; the model reads <img>, one <IMG_CONTEXT> for each visual token, </img>. */
import { imageContext, imageEnd, imageStart } from "../tokenizer/SpecialTokens.ts"

/** Plain text, never a token. */
export const imagePlaceholder = "<image>"
/** Plain text, never a token. */
export const videoPlaceholder = "<video>"

/** The tokens of an image of that many tiles, as text. */
export const imageTokens = (tiles: number, tokensPerTile: number): string =>
  `${imageStart}${imageContext.repeat(tiles * tokensPerTile)}${imageEnd}`

/** Replaces placeholders from left to right by the images that are left; returns the text and how many were used. */
export const expandPlaceholders = (
  text: string,
  tilesPerImage: ReadonlyArray<number>,
  tokensPerTile: number
): { readonly text: string; readonly used: number } => {
  let used = 0
  let out = ""
  let start = 0
  for (const tiles of tilesPerImage) {
    const at = text.indexOf(imagePlaceholder, start)
    if (at < 0) break
    out += text.slice(start, at) + imageTokens(tiles, tokensPerTile)
    start = at + imagePlaceholder.length
    used++
  }
  return { text: out + text.slice(start), used }
}

/** The turn that a missing placeholder belongs to: the first that is not the system's. */
export const placeholderTurn = (turns: ReadonlyArray<{ readonly from: string }>, inFirstTurn: boolean): number =>
  !inFirstTurn && turns[0]?.from === "system" ? 1 : 0

/** Puts `placeholder` and a newline before the turn at `index` unless its text has one. */
export const withPlaceholder = <T extends { readonly value: string }>(
  turns: ReadonlyArray<T>,
  index: number,
  placeholder: string
): ReadonlyArray<T> =>
  turns.map((turn, i) =>
    i !== index || turn.value.includes(placeholder) ? turn : { ...turn, value: `${placeholder}\n${turn.value}` }
  )
