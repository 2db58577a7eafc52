/** Groups of horizontal bars, as a table: a row a group, so that the long names of layers can be read. */
import { formatNumber } from "../text/format.ts"
import { type Html, html } from "./html.ts"
import { legend } from "./lineChart.ts"
import type { BarChart } from "./Report.ts"
import { isDrawable, scaleFor } from "./scale.ts"

type Chart = typeof BarChart.Type

export const renderBarChart = (chart: Chart): Html => {
  const values = chart.groups.flatMap((group) => group.values)
  const { at, ticks } = scaleFor(values, chart.logarithmic ?? false, 0, 100, true)
  const start = at(ticks[0] ?? 0)
  const bar = (value: number, series: number) => {
    const width = isDrawable(value) ? Math.max(0.3, at(value) - start) : 0
    return html`<li><span class="bar s${series % 6}" style="width:${width.toFixed(1)}%"></span><span class="value">${formatNumber(value)}</span></li>`
  }
  const rows = chart.groups.map(
    ({ label, values: own }) =>
      html`<tr><th scope="row">${label}</th><td><ul class="bars">${own.map(bar)}</ul></td></tr>`
  )
  const unit = `${chart.yLabel}${chart.logarithmic ? ", logarithmic" : ""}`
  return html`<div class="chart-table"><table><caption>${chart.title} <small>${unit}</small>${legend(chart.series)}</caption>
<thead class="hidden"><tr><th scope="col">group</th><th scope="col">${chart.series.join(", ")}</th></tr></thead><tbody>${rows}</tbody></table></div>`
}
