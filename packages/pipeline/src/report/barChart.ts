/** Groups of horizontal bars as inline SVG, one group a row, so that the long names of layers can be read. */
import { formatNumber } from "../text/format.ts"
import { type Html, html } from "./html.ts"
import { legend } from "./lineChart.ts"
import type { BarChart } from "./Report.ts"
import { isDrawable, scaleFor } from "./scale.ts"

type Chart = typeof BarChart.Type

const width = 760
const barHeight = 9
const gap = 7
const axisHeight = 22
/** More groups than these are not shown at once. */
const mostWhole = 60

export const renderBarChart = (chart: Chart, id: string): Html => {
  const longest = chart.groups.reduce((length, { label }) => Math.max(length, label.length), 0)
  const left = Math.min(330, 16 + longest * 6.2)
  const rowHeight = chart.series.length * barHeight + gap
  const height = axisHeight + chart.groups.length * rowHeight
  const values = chart.groups.flatMap((group) => group.values)
  const x = scaleFor(values, chart.logarithmic ?? false, left, width - 60, true)
  const start = x.at(x.ticks[0] ?? 0)
  const bar = (value: number, series: number, top: number) => {
    const end = isDrawable(value) ? x.at(value) : start
    const y = top + series * barHeight
    return html`<rect class="bar s${series % 6}" x="${Math.min(start, end).toFixed(1)}" y="${y}" width="${Math.abs(end - start).toFixed(1)}" height="${barHeight - 1}"/><text class="value" x="${(Math.max(start, end) + 4).toFixed(1)}" y="${y + barHeight - 2}">${formatNumber(value)}</text>`
  }
  const rows = chart.groups.map((group, row) => {
    const top = axisHeight + row * rowHeight
    const middle = top + (chart.series.length * barHeight) / 2
    return html`<text class="tick" x="${left - 6}" y="${middle}" dy="4" text-anchor="end">${shorten(group.label)}</text>${group.values.map((value, series) => bar(value, series, top))}`
  })
  const ticks = x.ticks.map((tick) => {
    const at = x.at(tick).toFixed(1)
    return html`<line class="grid" x1="${at}" x2="${at}" y1="${axisHeight - 4}" y2="${height}"/><text class="tick" x="${at}" y="12" text-anchor="middle">${formatNumber(tick)}</text>`
  })
  // A model of hundreds of layers is looked at through a window.
  const frame = chart.groups.length > mostWhole ? "scroll tall" : "scroll"
  return html`<figure>
<figcaption>${chart.title} <small>${chart.yLabel}${chart.logarithmic ? ", logarithmic" : ""}</small></figcaption>
${legend(chart.series)}
<div class="${frame}" tabindex="0" role="group" aria-label="${chart.title}">
<svg viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-text">
<title id="${id}-title">${chart.title}</title>
<desc id="${id}-text">${chart.groups.length} groups of ${chart.series.join(", ")}; the values stand beside the bars.</desc>
${ticks}${rows}</svg></div></figure>`
}

/** The end of a long name, which is what tells layers apart. */
const shorten = (label: string): string => (label.length > 50 ? `...${label.slice(-47)}` : label)
