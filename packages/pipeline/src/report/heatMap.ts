/** A table whose cells are coloured by their numbers. */
import { formatNumber } from "../text/format.ts"
import { type Html, html } from "./html.ts"
import type { HeatMap } from "./Report.ts"

type Map = typeof HeatMap.Type
type Cell = Map["cells"][number]

/** Colours on each side of the middle of a ratio, and from the least to the most of an amount. */
const shades = 4
/** A ratio this far from 1, or its inverse, has the strongest colour. */
const strongest = 4

export const renderHeatMap = (map: Map): Html => {
  const values = map.cells.flatMap(({ value }) => (value === undefined ? [] : [value]))
  const shade = map.scale === "ratio" ? ratioShade : amountShade(values)
  const places = new globalThis.Map(map.cells.map((cell) => [`${cell.row} ${cell.column}`, cell]))
  const cell = (row: number, column: number) => {
    const found = places.get(`${row} ${column}`)
    if (found === undefined) return html`<td></td>`
    const color = found.value === undefined ? "even" : shade(found.value)
    return html`<td class="${color}" title="${found.detail}">${cellText(found, map.scale)}</td>`
  }
  const columns = map.columns.map((column) => html`<th scope="col">${column}</th>`)
  const rows = map.rows.map(
    (name, row) => html`<tr><th scope="row">${name}</th>${map.columns.map((_, column) => cell(row, column))}</tr>`
  )
  return html`<div class="scroll" tabindex="0" role="group" aria-label="${map.title}"><table class="map"><caption>${map.title}</caption>
<thead><tr><th scope="col">${map.rowLabel}</th>${columns}</tr></thead><tbody>${rows}</tbody></table></div>
<p class="note">${map.note}</p>`
}

const cellText = ({ value, text }: Cell, scale: Map["scale"]): string => {
  if (text !== undefined || value === undefined) return text ?? ""
  return scale === "ratio" ? value.toFixed(2) : formatNumber(Number(value.toPrecision(3)))
}

const ratioShade = (ratio: number): string => {
  if (!(ratio > 0)) return "good4"
  const strength = Math.min(shades, Math.round((shades * Math.abs(Math.log(ratio))) / Math.log(strongest)))
  if (strength === 0) return "even"
  return `${ratio < 1 ? "good" : "bad"}${strength}`
}

const amountShade = (values: ReadonlyArray<number>) => {
  const least = values.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const most = values.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  return (value: number): string => {
    if (!(most > least)) return "even"
    return `amount${Math.min(shades, 1 + Math.floor((shades * (value - least)) / (most - least)))}`
  }
}
