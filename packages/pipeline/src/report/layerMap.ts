/** What stages know of the layers of a model as maps: a row a block, a column a layer of it; colour and text are the error and the bits. */
import { formatNumber } from "../text/format.ts"
import type { HeatMap, LayerFact } from "./Report.ts"

/** What one stage says of layers; of a layer that it tells twice, the last counts. */
export interface StageLayers {
  readonly stage: string
  /** What its errors are. */
  readonly errors?: string | undefined
  readonly layers: ReadonlyArray<LayerFact>
}

interface Placed {
  readonly stack: string
  readonly block: string
  readonly part: string
}

const wholeBlock = "whole block"

/** Where a layer is: in which stack of blocks, in which block, and as what part of it; undefined for one outside of any block. */
const placeOf = (layer: string): Placed | undefined => {
  const found = /^(.*?)\.(\d+)(?:\.(.+))?$/.exec(layer)
  return found === null ? undefined : { stack: found[1]!, block: found[2]!, part: found[3] ?? wholeBlock }
}

/** All that is known of one layer: facts of several stages, the last of which counts. */
interface Known extends Placed {
  readonly layer: string
  readonly facts: ReadonlyArray<{ readonly stage: string; readonly fact: LayerFact }>
}

const knownLayers = (told: ReadonlyArray<StageLayers>): ReadonlyArray<Known> => {
  // In the order of the stage that tells of most: it knows the layers between those of the others.
  const byCount = told.toSorted((a, b) => b.layers.length - a.layers.length)
  const layers = [...new Set(byCount.flatMap((stage) => stage.layers.map(({ layer }) => layer)))]
  const factOf = new Map(told.map(({ stage, layers }) => [stage, new Map(layers.map((fact) => [fact.layer, fact]))]))
  return layers.flatMap((layer) => {
    const place = placeOf(layer)
    const facts = told.flatMap(({ stage }) => {
      const fact = factOf.get(stage)?.get(layer)
      return fact === undefined ? [] : [{ stage, fact }]
    })
    return place === undefined ? [] : [{ ...place, layer, facts }]
  })
}

/** Error after as a part of the error before; undefined where it is not told, or there was none. */
const ratioOf = ({ errorBefore, errorAfter }: LayerFact): number | undefined =>
  errorBefore !== undefined && errorAfter !== undefined && errorBefore > 0 ? errorAfter / errorBefore : undefined

const lastKnown = <A>(facts: Known["facts"], of: (fact: LayerFact) => A | undefined): A | undefined =>
  facts.map(({ fact }) => of(fact)).findLast((value) => value !== undefined)

const detailOf = ({ layer, facts }: Known): string => {
  const told = facts.map(({ stage, fact }) => {
    const { quantizer, bits, errorBefore, errorAfter } = fact
    const words = [
      quantizer,
      bits === undefined ? undefined : `${formatNumber(bits)} bits`,
      errorBefore === undefined ? undefined : `error ${formatNumber(errorBefore)} before`,
      errorAfter === undefined ? undefined : `${formatNumber(errorAfter)} after`
    ]
    return `${stage}: ${words.filter((word) => word !== undefined).join(", ")}`
  })
  return [layer, ...told].join("\n")
}

const bitsNote = "bits of a weight, scales and zero points included"

const noteOf = (own: ReadonlyArray<Known>, told: ReadonlyArray<StageLayers>): string => {
  const isTold = (of: (fact: LayerFact) => number | undefined) =>
    own.some(({ facts }) => lastKnown(facts, of) !== undefined)
  if (!isTold(ratioOf)) return `The ${bitsNote}.`
  const inStack = new Set(own.flatMap(({ facts }) => facts.map(({ stage }) => stage)))
  const errors = told.flatMap(({ stage, errors }) =>
    errors === undefined || !inStack.has(stage) ? [] : [`${stage}: ${errors}.`]
  )
  const parts = [
    "Coloured: the error after a stage, as a part of that before it; below 1 is better.",
    ...errors,
    isTold(({ bits }) => bits) ? `The other number: ${bitsNote}.` : ""
  ]
  return parts.filter((part) => part !== "").join(" ")
}

/** One map for each stack of blocks. Layers outside of any block are in none. */
export const layerMaps = (told: ReadonlyArray<StageLayers>): ReadonlyArray<typeof HeatMap.Type> => {
  const known = knownLayers(told)
  return [...new Set(known.map(({ stack }) => stack))].map((stack) => {
    const own = known.filter((each) => each.stack === stack)
    const rows = [...new Set(own.map(({ block }) => block))].toSorted((a, b) => Number(a) - Number(b))
    const parts = [...new Set(own.map(({ part }) => part))]
    const columns = parts.toSorted((a, b) => Number(b === wholeBlock) - Number(a === wholeBlock))
    const hasErrors = own.some(({ facts }) => lastKnown(facts, ratioOf) !== undefined)
    const cells = own.map((each) => {
      const { block, part, facts } = each
      const ratio = lastKnown(facts, ratioOf)
      const bits = lastKnown(facts, (fact) => fact.bits)
      const value = hasErrors ? ratio : bits
      const texts = [ratio?.toFixed(2), bits === undefined ? undefined : formatNumber(bits)]
      return {
        row: rows.indexOf(block),
        column: columns.indexOf(part),
        ...(value === undefined ? {} : { value }),
        text: texts.filter((text) => text !== undefined).join(" · "),
        detail: detailOf(each)
      }
    })
    return {
      _tag: "HeatMap",
      title: `Layers of ${stack}`,
      note: noteOf(own, told),
      scale: hasErrors ? "ratio" : "amount",
      rowLabel: "block",
      rows,
      columns,
      cells
    }
  })
}
