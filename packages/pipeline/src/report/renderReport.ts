/** A report as one HTML page that takes nothing from elsewhere. It reads without its script; the script helps to explore. */
import { createHash } from "node:crypto"
import { formatTime } from "../text/format.ts"
import { renderBarChart } from "./barChart.ts"
import { renderGallery } from "./gallery.ts"
import { renderHeadline } from "./headline.ts"
import { renderHeatMap } from "./heatMap.ts"
import { classes, empty, folded, Html, html } from "./html.ts"
import { layerMaps } from "./layerMap.ts"
import { renderLineChart } from "./lineChart.ts"
import type { Code, Report, Section, Text } from "./Report.ts"
import { renderScatter } from "./scatter.ts"
import { script } from "./script.ts"
import { style } from "./style.ts"
import { renderTable } from "./table.ts"
import { renderTranscript } from "./transcript.ts"

/** Nothing is loaded, and no script runs but our own: what a model answered is shown, never executed. */
const policy = (scripts: string): string =>
  `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ${scripts}`

const ownScript = `'sha256-${createHash("sha256").update(script).digest("base64")}'`

/** What the script has to do with; texts of others cannot look like it, since their quotes and brackets are escaped. */
const explorable = /data-chart="|class="filter"|<details>|class="live"/

export const renderReport = (report: Report): string => {
  const { title, refresh } = report
  const body = renderBody(report)
  const explored = explorable.test(body.text)
  const again =
    refresh === undefined ? empty : html`<noscript><meta http-equiv="refresh" content="${refresh}"></noscript>`
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy(explored ? ownScript : "'none'")}">${again}
<title>${title}</title><style>${new Html(style)}</style></head>
<body>${body}
${explored ? html`<script>${new Html(script)}</script>` : empty}</body></html>
`.text
}

const renderBody = ({ title, subtitle, front = [], chapters, refresh, writtenAt }: Report): Html => {
  const links = chapters.map((chapter, index) => html`<li><a href="#c${index}">${chapter.title}</a></li>`)
  const rendered = chapters.map(
    (chapter, index) =>
      html`<section${classes(chapter.stale && "stale")}><h2 id="c${index}">${chapter.title}</h2>${renderSections(chapter.sections, `c${index}`)}</section>\n`
  )
  return html`<header><h1>${title}</h1><p class="subtitle">${subtitle}</p>${liveNotice(refresh, writtenAt)}</header>
<main>${front.length === 0 ? empty : html`<div class="front">${renderFront(front)}</div>\n`}
${links.length < 2 ? empty : html`<nav aria-label="Chapters"><ul>${links}</ul></nav>`}
${rendered}</main>${writtenAt === undefined ? empty : html`<footer>Written ${formatTime(writtenAt)} UTC.</footer>`}`
}

/** That the run still works, and a way to stop the page from loading itself again. */
const liveNotice = (refresh: number | undefined, writtenAt: number | undefined): Html =>
  refresh === undefined
    ? empty
    : html`<p class="live" role="status" data-refresh="${refresh}" data-written="${writtenAt ?? 0}"><span class="now">The run is working.</span> <span class="age">Written ${formatTime(writtenAt ?? 0)} UTC.</span> <label hidden=""><input type="checkbox" checked="">load this page again when it changes</label></p>`

/** The results; a table and a picture stand side by side where there is room. */
const renderFront = (sections: ReadonlyArray<Section>): ReadonlyArray<Html> =>
  sections.map((section, place) => {
    const rendered = renderSection(section, `front-${place}`)
    const half = section._tag === "Scatter" || (section._tag === "Table" && !section.folded)
    return half ? html`<div class="half">${rendered}</div>` : rendered
  })

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
    case "Headline":
      return renderHeadline(section)
    case "Text":
      return renderText(section)
    case "Table":
      return renderTable(section)
    case "Code":
      return renderCode(section)
    case "LineChart":
      return renderLineChart(section)
    case "BarChart":
      return renderBarChart(section)
    case "Scatter":
      return renderScatter(section)
    case "HeatMap":
      return renderHeatMap(section)
    case "Layers":
      return html`${layerMaps([{ stage: section.title, ...section }]).map(renderHeatMap)}`
    case "Gallery":
      return renderGallery(section, id)
    case "Transcript":
      return renderTranscript(section)
  }
}

const renderText = ({ title, paragraphs }: typeof Text.Type): Html =>
  html`${title === "" ? empty : html`<h3>${title}</h3>`}${paragraphs.map((paragraph) => html`<p>${paragraph}</p>`)}`

const renderCode = (section: typeof Code.Type): Html =>
  folded(
    section,
    html`${section.folded ? empty : html`<h3>${section.title}</h3>`}<pre class="scroll" tabindex="0" role="group" aria-label="${section.title}"><code>${section.text}</code></pre>`
  )
