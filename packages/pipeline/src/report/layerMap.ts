/** A number of every layer of a model as maps: a row a block, a column a layer of it. */
import { formatNumber } from "../text/format.ts"
import type { HeatMap } from "./Report.ts"

interface LayerValue {
  /** Its name, with the number of its block in it: `model.layers.3.mlp.down_proj`. */
  readonly layer: string
  readonly value: number
  /** What the cell says instead of the value. */
  readonly text?: string
  /** All that there is to say of it. */
  readonly detail: string
}

interface LayerMapOptions {
  readonly title: string
  readonly note: string
  readonly scale: (typeof HeatMap.Type)["scale"]
}

interface Placed extends LayerValue {
  readonly stack: string
  readonly block: string
  readonly part: string
}

/** Where a layer is: in which stack of blocks, in which block, and as what part of it; undefined for one outside of any block. */
const placeOf = (each: LayerValue): Placed | undefined => {
  const found = /^(.*?)\.(\d+)\.(.+)$/.exec(each.layer)
  return found === null ? undefined : { ...each, stack: found[1]!, block: found[2]!, part: found[3]! }
}

/** One map for each stack of blocks. Layers outside of any block are in none. */
export const layerMaps = (
  layers: ReadonlyArray<LayerValue>,
  { title, note, scale }: LayerMapOptions
): ReadonlyArray<typeof HeatMap.Type> => {
  const placed = layers.map(placeOf).filter((each) => each !== undefined)
  return [...new Set(placed.map(({ stack }) => stack))].map((stack) => {
    const own = placed.filter((each) => each.stack === stack)
    const rows = [...new Set(own.map(({ block }) => block))].toSorted((a, b) => Number(a) - Number(b))
    const columns = [...new Set(own.map(({ part }) => part))]
    const cells = own.map(({ block, part, value, text, detail }) => ({
      row: rows.indexOf(block),
      column: columns.indexOf(part),
      value,
      ...(text === undefined ? {} : { text }),
      detail
    }))
    return { _tag: "HeatMap", title: `${title}: ${stack}`, note, scale, rowLabel: "block", rows, columns, cells }
  })
}

/** Maps of error after, as a part of the error before. */
export const errorMaps = (
  title: string,
  note: string,
  layers: ReadonlyArray<{
    readonly layer: string
    readonly before: number
    readonly after: number
    readonly bits?: number
  }>
): ReadonlyArray<typeof HeatMap.Type> => {
  const severalBits = new Set(layers.map(({ bits }) => bits)).size > 1
  const values = layers.flatMap(({ layer, before, after, bits }): ReadonlyArray<LayerValue> => {
    if (!(before > 0)) return []
    const value = after / before
    const ofBits = bits === undefined ? "" : `, ${formatNumber(bits)} bits`
    return [
      {
        layer,
        value,
        ...(severalBits && bits !== undefined ? { text: `${value.toFixed(2)} · ${formatNumber(bits)}` } : {}),
        detail: `${layer}: error ${formatNumber(before)} before, ${formatNumber(after)} after${ofBits}`
      }
    ]
  })
  return layerMaps(values, {
    title,
    note: `${note}${severalBits ? " The bits of a weight stand behind it." : ""}`,
    scale: "ratio"
  })
}
