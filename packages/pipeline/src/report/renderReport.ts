/** A report as one HTML page: no script, no font, no image from elsewhere. */
import { formatNumber } from "../text/format.ts"
import { renderBarChart } from "./barChart.ts"
import { empty, Html, html } from "./html.ts"
import { renderLineChart } from "./lineChart.ts"
import type { Gallery, Report, Section, Table, Text } from "./Report.ts"
import { style } from "./style.ts"
import { renderImage, renderTranscript } from "./transcript.ts"

export const renderReport = (report: Report): string => {
  const links = report.chapters.map(({ title }, index) => html`<li><a href="#c${index}">${title}</a></li>`)
  const chapters = report.chapters.map(
    ({ title, sections, stale }, index) =>
      html`<section${staleClass(stale)}><h2 id="c${index}">${title}</h2>${renderSections(sections, `c${index}`)}</section>\n`
  )
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${report.title}</title><style>${new Html(style)}</style></head>
<body><header><h1>${report.title}</h1><p class="subtitle">${report.subtitle}</p>
<nav aria-label="Chapters"><ul>${links}</ul></nav></header>
<main>${chapters}</main></body></html>
`.text
}

const staleClass = (stale: boolean | undefined): Html => (stale ? new Html(' class="stale"') : empty)

/** Sections one below the other; small charts that follow each other in pairs. */
const renderSections = (sections: ReadonlyArray<Section>, id: string): ReadonlyArray<Html> => {
  const isCompact = (section: Section | undefined) => section?._tag === "LineChart" && section.compact === true
  return sections.map((section, place) => {
    const rendered = renderSection(section, `${id}-${place}`)
    if (!isCompact(section)) return rendered
    const opening = isCompact(sections[place - 1]) ? empty : new Html('<div class="pairs">')
    const closing = isCompact(sections[place + 1]) ? empty : new Html("</div>")
    return html`${opening}${rendered}${closing}`
  })
}

const renderSection = (section: Section, id: string): Html => {
  switch (section._tag) {
    case "Text":
      return renderText(section)
    case "Table":
      return renderTable(section)
    case "LineChart":
      return renderLineChart(section, id)
    case "BarChart":
      return renderBarChart(section, id)
    case "Gallery":
      return renderGallery(section)
    case "Transcript":
      return renderTranscript(section)
  }
}

const heading = (title: string): Html => (title === "" ? empty : html`<h3>${title}</h3>`)

const renderText = ({ title, paragraphs }: typeof Text.Type): Html =>
  html`${heading(title)}${paragraphs.map((paragraph) => html`<p>${paragraph}</p>`)}`

/** `12`, `0.5 ± 0.1`, `3.8 KiB`, `1.6 s`, `7/9`, `-`: what is compared down a column. */
const isQuantity = (value: string | number): boolean =>
  typeof value === "number" ||
  /^(-?\d[\d.,/]*(e[+-]?\d+)?( ?(±|%|[KMGT]?i?B|ms|s|min|h|d)\b.*| ?± .*)?|-?)$/.test(value)

/** Whole numbers to the last digit, in groups of three; others to four significant digits. */
const cellText = (value: string | number): string => {
  if (typeof value === "string") return value
  return Number.isSafeInteger(value) ? value.toLocaleString("en-US") : formatNumber(value)
}

const renderTable = ({ title, columns, rows, stale = [] }: typeof Table.Type): Html => {
  const isNumeric = columns.map((_, column) => rows.length > 0 && rows.every((row) => isQuantity(row[column] ?? "")))
  const cell = (value: string | number, column: number) =>
    html`<td${numberClass(isNumeric[column])}>${cellText(value)}</td>`
  const shape = ["scroll", ...(rows.length > 30 ? ["tall"] : []), ...(columns.length > 8 ? ["wide"] : [])].join(" ")
  return html`${heading(title)}<div class="${shape}" tabindex="0" role="group" aria-label="${title}"><table>
<thead><tr>${columns.map((column, index) => html`<th scope="col"${numberClass(isNumeric[index])}>${column}</th>`)}</tr></thead>
<tbody>${rows.map((row, index) => html`<tr${staleClass(stale.includes(index))}>${row.map(cell)}</tr>`)}</tbody></table></div>`
}

const numberClass = (numeric: boolean | undefined): Html => (numeric ? new Html(' class="number"') : empty)

const renderGallery = ({ title, items }: typeof Gallery.Type): Html =>
  html`${heading(title)}<ul class="gallery">${items.map(
    ({ images, question, answers }) =>
      html`<li>${images.map(renderImage)}<strong>${question}</strong>
<dl>${answers.map(({ by, text, correct }) => html`<dt>${by}</dt><dd>${text}${mark(correct)}</dd>`)}</dl></li>`
  )}</ul>`

const mark = (correct: boolean | undefined): Html => {
  if (correct === undefined) return empty
  return correct ? html` <span class="right">✓ right</span>` : html` <span class="wrong">✗ wrong</span>`
}
