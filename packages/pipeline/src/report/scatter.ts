/** Points by two numbers, with their names beside them. */
import { formatNumber } from "../text/format.ts"
import { classes, empty, type Html, html } from "./html.ts"
import { extent, percent, renderPlot } from "./plot.ts"
import type { Scatter } from "./Report.ts"
import { isDrawable, scaleFor } from "./scale.ts"

type Chart = typeof Scatter.Type
type Point = Chart["points"][number]

/** Names closer than this part of the height would lie on each other. */
const nameHeight = 0.064 * extent
/** A name further than this from its point is led to it. */
const leastLeader = 0.02 * extent
const leaderWidth = 0.024 * extent

/** Names of points at the right stand on their left. */
const isRight = (x: number): boolean => x > 0.6 * extent

export const renderScatter = (chart: Chart): Html => {
  const points = chart.points.filter(({ x, y }) => isDrawable(x) && isDrawable(y))
  const x = scaleFor(
    points.map((point) => point.x),
    false,
    0,
    extent,
    true
  )
  const y = scaleFor(
    points.flatMap((point) => [point.y, point.low ?? point.y, point.high ?? point.y]),
    false,
    extent,
    0
  )
  const placed = points.map((point) => ({ point, x: x.at(point.x), y: y.at(point.y) }))
  const names = spread(placed)
  const whiskers = placed.flatMap(({ point: { low, high }, x: at }) =>
    low === undefined || high === undefined
      ? []
      : [
          html`<line class="whisker" x1="${at.toFixed(1)}" x2="${at.toFixed(1)}" y1="${y.at(low).toFixed(1)}" y2="${y.at(high).toFixed(1)}"/>`
        ]
  )
  const leaders = names.flatMap(({ x: left, y: from, nameAt }) =>
    Math.abs(nameAt - from) < leastLeader
      ? []
      : [
          html`<polyline class="leader" points="${left.toFixed(1)},${from.toFixed(1)} ${(left + (isRight(left) ? -leaderWidth : leaderWidth)).toFixed(1)},${nameAt.toFixed(1)}"/>`
        ]
  )
  const dots = placed.map(
    ({ point, ...at }) =>
      html`<span${classes("dot", point.role)} style="left:${percent(at.x)};top:${percent(at.y)}" title="${describePoint(chart, point)}"></span>`
  )
  const labels = names.map(({ point, x: left, nameAt }) => {
    const end = isRight(left)
    const side = end ? html`right:calc(100% - ${percent(left)})` : html`left:${percent(left)}`
    return html`<span${classes("name", end && "end", point.role)} style="${side};top:${percent(nameAt)}">${point.name} <small>${formatNumber(short(point.y))}</small></span>`
  })
  return html`<figure>
<figcaption>${chart.title}</figcaption>${renderPlot({
    ...{ x, y, xLabel: chart.xLabel, yLabel: chart.yLabel },
    lines: [...leaders, ...whiskers],
    marks: [...dots, ...labels],
    description: `${chart.yLabel} by ${chart.xLabel}. ${points.map((point) => describePoint(chart, point)).join("; ")}`
  })}${chart.note === undefined ? empty : html`<p class="note">${chart.note}</p>`}</figure>`
}

const short = (value: number): number => Number(value.toPrecision(3))

const describePoint = ({ xLabel, yLabel }: Chart, { name, x, y, low, high }: Point): string => {
  const interval =
    low === undefined || high === undefined ? "" : ` (${formatNumber(short(low))} to ${formatNumber(short(high))})`
  return `${name}: ${yLabel} ${formatNumber(short(y))}${interval}, ${xLabel} ${formatNumber(x)}`
}

interface Placed {
  readonly point: Point
  readonly x: number
  readonly y: number
}

/** Names are pushed apart, in the order of their points, as little as needed: on a narrow page those of both sides meet. */
const spread = (placed: ReadonlyArray<Placed>): ReadonlyArray<Placed & { readonly nameAt: number }> => {
  const sorted = placed.toSorted((a, b) => a.y - b.y).map((each) => ({ ...each, nameAt: each.y }))
  for (const [index, each] of sorted.entries()) {
    const above = sorted[index - 1]
    if (above !== undefined) each.nameAt = Math.max(each.nameAt, above.nameAt + nameHeight)
  }
  // Those that were pushed below the frame push the others back up.
  let bottom = extent - nameHeight / 2
  for (const each of sorted.toReversed()) {
    each.nameAt = Math.min(each.nameAt, bottom)
    bottom = each.nameAt - nameHeight
  }
  return sorted
}
