/** Lines over a common axis as inline SVG. */
import { formatNumber } from "../text/format.ts"
import { empty, type Html, html } from "./html.ts"
import type { LineChart } from "./Report.ts"
import { isDrawable, type Scale, scaleFor, tightScale } from "./scale.ts"

type Chart = typeof LineChart.Type
type Points = Chart["series"][number]["points"]

const margins = { left: 64, right: 20, top: 12, bottom: 44 }
const full = { ...margins, width: 760, height: 300 }
// Half as wide, so that its letters are as large where two stand side by side.
const half = { ...margins, width: 370, height: 210 }
/** More points than this are thinned. */
const mostPoints = 600

/** At most `mostPoints` points: the lowest and the highest of each stretch, so that no spike is lost. */
export const thin = (points: Points): Points => {
  if (points.length <= mostPoints) return points
  const stretch = (points.length * 2) / mostPoints
  return Array.from({ length: mostPoints / 2 }, (_, index) => {
    const part = points.slice(Math.floor(index * stretch), Math.floor((index + 1) * stretch))
    const low = part.reduce((a, b) => (b[1] < a[1] ? b : a))
    const high = part.reduce((a, b) => (b[1] > a[1] ? b : a))
    return low === high ? [low] : low[0] < high[0] ? [low, high] : [high, low]
  }).flat()
}

export const renderLineChart = (chart: Chart, id: string): Html => {
  const logarithmic = chart.logarithmic ?? false
  const size = chart.compact ? half : full
  const drawable = ([x, y]: Points[number]) => isDrawable(x) && isDrawable(y) && (!logarithmic || y > 0)
  const series = chart.series.map(({ name, points }) => ({ name, points: thin(points.filter(drawable)) }))
  const all = series.flatMap(({ points }) => points)
  const bottom = size.height - size.bottom
  const right = size.width - size.right
  const steps = all.map(([value]) => value)
  const x = tightScale(least(steps), most(steps), size.left, right)
  const y = scaleFor(
    all.map(([, value]) => value),
    logarithmic,
    bottom,
    size.top
  )
  const lines = series.map(
    ({ points }, index) =>
      html`<polyline class="line s${index % 6}" points="${points.map(([a, b]) => `${x.at(a).toFixed(1)},${y.at(b).toFixed(1)}`).join(" ")}"/>`
  )
  return html`<figure>
<figcaption>${chart.title}${logarithmic ? html` <small>logarithmic</small>` : empty}</figcaption>
<svg viewBox="0 0 ${size.width} ${size.height}" role="img" aria-labelledby="${id}-title ${id}-text">
<title id="${id}-title">${chart.title}</title><desc id="${id}-text">${describe(chart)}</desc>
${yAxis(y, size.left, right)}${xAxis(x, bottom)}
<text class="axis" x="${(size.left + right) / 2}" y="${size.height - 6}" text-anchor="middle">${chart.xLabel}</text>
<text class="axis" transform="translate(14 ${bottom / 2}) rotate(-90)" text-anchor="middle">${chart.yLabel}</text>
${lines}</svg>
${legend(chart.series.map(({ name }) => name))}</figure>`
}

const least = (values: ReadonlyArray<number>): number => values.reduce((a, b) => Math.min(a, b), values[0] ?? 0)
const most = (values: ReadonlyArray<number>): number => values.reduce((a, b) => Math.max(a, b), values[0] ?? 1)

/** Grid lines with their values at the left. */
const yAxis = (scale: Scale, left: number, right: number): ReadonlyArray<Html> =>
  scale.ticks.map((tick) => {
    const y = scale.at(tick).toFixed(1)
    return html`<line class="grid" x1="${left}" x2="${right}" y1="${y}" y2="${y}"/><text class="tick" x="${left - 6}" y="${y}" dy="4" text-anchor="end">${formatNumber(tick)}</text>`
  })

const xAxis = (scale: Scale, bottom: number): ReadonlyArray<Html> =>
  scale.ticks.map(
    (tick) =>
      html`<text class="tick" x="${scale.at(tick).toFixed(1)}" y="${bottom + 16}" text-anchor="middle">${formatNumber(tick)}</text>`
  )

/** Names of the series beside their colours; nothing for a single one. */
export const legend = (names: ReadonlyArray<string>): Html =>
  names.length < 2
    ? empty
    : html`<ul class="legend">${names.map((name, index) => html`<li><span class="swatch s${index % 6}"></span>${name}</li>`)}</ul>`

const describe = ({ series, xLabel }: Chart): string =>
  series
    .map(({ name, points }) => {
      const first = points[0]
      const last = points.at(-1)
      if (first === undefined || last === undefined) return `${name}: no values`
      const lowest = points.reduce((a, b) => (b[1] < a[1] ? b : a))
      const at = (point: Points[number]) => `${formatNumber(point[1])} at ${xLabel} ${formatNumber(point[0])}`
      return `${name}: from ${at(first)} to ${at(last)}, lowest ${at(lowest)}`
    })
    .join("; ")
