/** What a model reads, with the borders of its tokens, and what of it is learned or cut off. */
import { empty, type Html, html } from "./html.ts"
import type { EmbeddedImage, Transcript } from "./Report.ts"

type Pieces = (typeof Transcript.Type)["pieces"]

export const renderImage = ({ mediaType, base64, description }: typeof EmbeddedImage.Type): Html =>
  html`<img src="data:${mediaType};base64,${base64}" alt="${description}">`

export const renderTranscript = ({ title, paragraphs, images, pieces }: typeof Transcript.Type): Html =>
  html`<article class="transcript"><h3>${title}</h3>${paragraphs.map((paragraph) => html`<p>${paragraph}</p>`)}
${images.length === 0 ? empty : html`<div class="pictures">${images.map(renderImage)}</div>`}
<div class="tokens">${stretches(pieces).map(renderStretch)}</div></article>`

/** Neighbours of one kind together. */
const stretches = (pieces: Pieces): ReadonlyArray<Pieces> => {
  const together: Array<Array<Pieces[number]>> = []
  for (const piece of pieces) {
    const last = together.at(-1)
    if (last?.[0]?.as === piece.as) last.push(piece)
    else together.push([piece])
  }
  return together
}

const renderStretch = (pieces: Pieces): Html => {
  // A line break is a token too, or a part of one.
  const tokens = pieces.map(({ text }) => html`<span>${text.replaceAll("\n", "\u21b5\n")}</span>`)
  switch (pieces[0]?.as) {
    case "learned":
      return html`<mark>${tokens}</mark>`
    case "cut":
      return html`<del>${tokens}</del>`
    default:
      return html`${tokens}`
  }
}
