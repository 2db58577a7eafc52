/** Samples with the answers of each model. Those that gave the same answer stand together. */
import { classes, empty, type Html, html } from "./html.ts"
import type { Gallery } from "./Report.ts"
import { renderImage } from "./transcript.ts"

type Item = (typeof Gallery.Type)["items"][number]
type Answer = Item["answers"][number]

export const renderGallery = ({ title, items }: typeof Gallery.Type, id: string): Html =>
  html`<div class="samples"><h3>${title}</h3>${filters(items, id)}<ul class="gallery">${items.map(renderItem)}</ul></div>`

/** Choices for the script, which shows what has the chosen tag; without it all is shown. */
const filters = (items: ReadonlyArray<Item>, id: string): Html => {
  const counts = new Map<string, number>()
  // What all begin with, the outcome, stands before the kinds.
  const deepest = items.reduce((most, { tags = [] }) => Math.max(most, tags.length), 0)
  const all = Array.from({ length: deepest }, (_, depth) => items.map(({ tags = [] }) => tags[depth])).flat()
  for (const tag of all) if (tag !== undefined) counts.set(tag, (counts.get(tag) ?? 0) + 1)
  if (counts.size < 2) return empty
  const choice = (tag: string, words: string, count: number) =>
    html`<label><input type="radio" name="${id}-filter" value="${tag}"${tag === "" ? html` checked=""` : empty}>${words} <small>${count}</small></label>`
  return html`<fieldset class="filter" hidden=""><legend class="hidden">Show</legend>${choice("", "all", items.length)}${[
    ...counts
  ].map(([tag, count]) => choice(tag, tag, count))}</fieldset>`
}

const renderItem = ({ images, question, options = [], expected, tags = [], answers }: Item): Html =>
  html`<li data-tags="${JSON.stringify(tags)}">${images.map(renderImage)}<p class="question">${question}</p>
${options.length === 0 ? empty : html`<ul class="options">${options.map((option) => html`<li>${option}</li>`)}</ul>`}
<dl>${expected === undefined ? empty : html`<div><dt>expected</dt><dd>${expected}</dd></div>`}${together(answers).map(renderAnswer)}</dl>
${tags.length === 0 ? empty : html`<p class="tags">${tags.map((tag) => html`<span>${tag}</span>`)}</p>`}</li>`

/** The same answer is shown once, with all that gave it. */
const together = (answers: ReadonlyArray<Answer>): ReadonlyArray<Answer & { readonly all: ReadonlyArray<string> }> => {
  const found = new Map<string, Answer & { readonly all: Array<string> }>()
  for (const answer of answers) {
    const same = JSON.stringify([answer.text, answer.correct])
    const known = found.get(same)
    if (known === undefined) found.set(same, { ...answer, all: [answer.by] })
    else known.all.push(answer.by)
  }
  return [...found.values()]
}

const renderAnswer = ({ all, text, correct }: ReturnType<typeof together>[number]): Html =>
  html`<div${classes(correct !== undefined && (correct ? "right" : "wrong"))}><dt>${all.join(", ")}</dt><dd>${mark(correct)}${text}</dd></div>`

const mark = (correct: boolean | undefined): Html => {
  if (correct === undefined) return empty
  return correct ? html`<span class="mark">✓ right</span> ` : html`<span class="mark">✗ wrong</span> `
}
