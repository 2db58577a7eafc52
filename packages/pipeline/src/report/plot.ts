/**
 * The frame of a chart: axes with their ticks and names. Lines are SVG that is stretched to the width of the page; words and dots are
 * HTML at places in percent, so that nothing is scaled: letters are as large on a telephone as on a screen.
 */
import { formatNumber } from "../text/format.ts"
import { type Html, html } from "./html.ts"
import type { Scale } from "./scale.ts"

/** The side of the square that lines are drawn in, whatever its shape on the page. */
export const extent = 1000

interface Frame {
  readonly x: Scale
  readonly y: Scale
  readonly xLabel: string
  readonly yLabel: string
  readonly compact?: boolean
  /** Lines, as SVG. */
  readonly lines: ReadonlyArray<Html>
  /** What stands above them, as HTML. */
  readonly marks?: ReadonlyArray<Html>
  /** What it shows, for those who cannot see it. */
  readonly description: string
  /** Values for the script, which shows them under the pointer. */
  readonly data?: string
}

/** A coordinate as a part of the frame, for a style. */
export const percent = (coordinate: number): string => `${((100 * coordinate) / extent).toFixed(2)}%`

export const renderPlot = ({ x, y, xLabel, yLabel, compact, lines, marks = [], description, data }: Frame): Html => {
  const horizontal = y.ticks.map((tick) => {
    const at = y.at(tick).toFixed(1)
    return html`<line class="grid" x1="0" x2="${extent}" y1="${at}" y2="${at}"/>`
  })
  const yTicks = y.ticks.map((tick) => html`<span style="top:${percent(y.at(tick))}">${formatNumber(tick)}</span>`)
  const xTicks = x.ticks.map((tick) => html`<span style="left:${percent(x.at(tick))}">${formatNumber(tick)}</span>`)
  const interactive = data === undefined ? html`` : html` data-chart="${data}" tabindex="0"`
  return html`<div class="chart${compact ? " compact" : ""}">
<div class="y-label" aria-hidden="true">${yLabel}</div>
<div class="y-ticks" aria-hidden="true">${yTicks}</div>
<div class="plot" role="img" aria-label="${description}"${interactive}><svg viewBox="0 0 ${extent} ${extent}" preserveAspectRatio="none" aria-hidden="true">${horizontal}${lines}</svg>${marks}</div>
<div class="x-ticks" aria-hidden="true">${xTicks}</div>
<div class="x-label" aria-hidden="true">${xLabel}</div></div>`
}
