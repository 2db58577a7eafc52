/** Lines over a common axis. */
import { formatNumber } from "../text/format.ts"
import { empty, type Html, html } from "./html.ts"
import { extent, renderPlot } from "./plot.ts"
import type { LineChart } from "./Report.ts"
import { isDrawable, type Scale, scaleFor, tightScale } from "./scale.ts"
import { type Points, smooth, thin } from "./smooth.ts"

type Chart = typeof LineChart.Type

export const renderLineChart = (chart: Chart): Html => {
  const logarithmic = chart.logarithmic ?? false
  const drawable = ([x, y]: Points[number]) => isDrawable(x) && isDrawable(y) && (!logarithmic || y > 0)
  const series = chart.series.map(({ name, points }) => {
    const raw = points.filter(drawable)
    const thinned = thin(raw)
    const line = chart.smooth ? smooth(raw, logarithmic) : raw
    return { name, raw: thinned, line: line === raw ? thinned : thin(line) }
  })
  const all = series.flatMap(({ raw }) => raw)
  const steps = all.map(([value]) => value)
  const x = tightScale(least(steps), most(steps), 0, extent)
  const y = scaleFor(
    all.map(([, value]) => value),
    logarithmic,
    extent,
    0
  )
  const line = (points: Points, classes: string) =>
    html`<polyline class="${classes}" points="${coordinates(points, x, y)}"/>`
  const behind = series.map(({ raw, line: drawn }, index) => (raw === drawn ? empty : line(raw, `raw s${index % 6}`)))
  const lines = series.map(({ line: drawn }, index) => line(drawn, `line s${index % 6}`))
  const description = describe(chart)
  const plot = renderPlot({
    ...{ x, y, xLabel: chart.xLabel, yLabel: chart.yLabel, description },
    lines: [...behind, ...lines],
    ...(chart.compact ? { compact: true } : {}),
    data: chartData(chart, x, series)
  })
  return html`<figure>
<figcaption>${chart.title}${logarithmic ? html` <small>logarithmic</small>` : empty}</figcaption>
${legend(chart.series.map(({ name }) => name))}${plot}
<p class="note">${description}</p></figure>`
}

const coordinates = (points: Points, x: Scale, y: Scale): string =>
  points.map(([a, b]) => `${x.at(a).toFixed(1)},${y.at(b).toFixed(1)}`).join(" ")

const least = (values: ReadonlyArray<number>): number => values.reduce((a, b) => Math.min(a, b), values[0] ?? 0)
const most = (values: ReadonlyArray<number>): number => values.reduce((a, b) => Math.max(a, b), values[0] ?? 1)

const short = (value: number): number => Number(value.toPrecision(4))

/** What the script shows under the pointer: of each series the places of its values from left to right in parts of a thousand, and the values. */
const chartData = (
  { xLabel }: Chart,
  x: Scale,
  series: ReadonlyArray<{ readonly name: string; readonly raw: Points; readonly line: Points }>
): string => {
  const shown = series.map(({ name, raw, line }) => ({
    name,
    at: raw.map(([value]) => Math.round(x.at(value))),
    x: raw.map(([value]) => short(value)),
    y: raw.map(([, value]) => short(value)),
    ...(raw === line ? {} : { mean: nearest(raw, line) })
  }))
  return JSON.stringify({ x: xLabel, series: shown })
}

/** The smooth value at, or just before, each raw one; both may have been thinned. */
const nearest = (raw: Points, line: Points): ReadonlyArray<number> => {
  let place = 0
  return raw.map(([x]) => {
    while (place + 1 < line.length && line[place + 1]![0] <= x) place++
    return short(line[place]![1])
  })
}

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
