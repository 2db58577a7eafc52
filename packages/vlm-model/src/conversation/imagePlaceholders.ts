/** `<image>` in a text stands for an image; the model reads <img>, one <IMG_CONTEXT> for each visual token, </img>. */
import { imageContext, imageEnd, imageStart } from "../tokenizer/SpecialTokens.ts"
import { type Piece, type Rendered, token, words } from "./rendered.ts"

/** Plain text, never a token. */
export const imagePlaceholder = "<image>"
/** Plain text, never a token. */
export const videoPlaceholder = "<video>"
/** What the frames of a video take the place of. */
export const videoLine = `${videoPlaceholder}\n`

/** The tokens of an image of that many tiles. */
const imageTokens = (tiles: number, tokensPerTile: number): Rendered => [
  token(imageStart),
  token(imageContext, tiles * tokensPerTile),
  token(imageEnd)
]

/** Replaces placeholders from left to right by the images that are left; returns the pieces and how many were used. */
export const expandPlaceholders = (
  text: string,
  tilesPerImage: ReadonlyArray<number>,
  tokensPerTile: number
): { readonly pieces: Rendered; readonly used: number } => {
  let used = 0
  const pieces: Array<Piece> = []
  let start = 0
  for (const tiles of tilesPerImage) {
    const at = text.indexOf(imagePlaceholder, start)
    if (at < 0) break
    pieces.push(words(text.slice(start, at)), ...imageTokens(tiles, tokensPerTile))
    start = at + imagePlaceholder.length
    used++
  }
  return { pieces: [...pieces, words(text.slice(start))], used }
}
