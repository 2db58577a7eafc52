/** The sections that every stage gets from its events: its curves, beside those of stages like it, and its layers. */
import { eventsOf, type LoggedEvent } from "../events/readEvents.ts"
import { LayerQuantized, StepDone } from "../events/runEvents.ts"
import type { StageLayers } from "../report/layerMap.ts"
import type { LayerFact, Section } from "../report/Report.ts"
import { formatBytes } from "../text/format.ts"

type Point = readonly [number, number]

/** What shipped stages call the numbers of their steps, in words. */
const words: { readonly [metric: string]: string } = {
  ce: "cross entropy",
  kd: "CAKLD, distance from the teacher",
  gradientNorm: "norm of the gradient",
  learningRate: "learning rate",
  regularizer: "rounding regularizer",
  confidence: "the teacher's confidence"
}

/** What the events of a stage tell, under its name. */
interface Told {
  readonly stage: string
  readonly events: ReadonlyArray<LoggedEvent>
}

interface Curves {
  readonly stage: string
  readonly curves: ReadonlyMap<string, ReadonlyArray<Point>>
}

/** The curves of a stage by metric. A number that is told once in many steps has none. */
const curvesOf = ({ stage, events }: Told): Curves => {
  const curves = new Map<string, Array<Point>>()
  const done = eventsOf(StepDone, events)
  for (const { event } of done) {
    for (const [name, value] of Object.entries(event.metrics)) {
      const points = curves.get(name) ?? []
      points.push([event.step, value])
      curves.set(name, points)
    }
  }
  const lasting = [...curves].filter(([, points]) => points.length > 1 && points.length > done.length / 10)
  return { stage, curves: new Map(lasting.toSorted(([a], [b]) => Number(b === "loss") - Number(a === "loss"))) }
}

/**
 * One chart for each metric, the loss first and large. Stages of which one tells all the numbers that the other does mean the same by
 * them: they share their charts, so that they can be compared.
 */
export const metricCharts = (told: ReadonlyArray<Told>): ReadonlyArray<Section> => {
  const groups: Array<Array<Curves>> = []
  for (const stage of told.map(curvesOf).filter(({ curves }) => curves.size > 0)) {
    const group = groups.find((stages) => stages.every((other) => isAlike(stage, other)))
    if (group === undefined) groups.push([stage])
    else group.push(stage)
  }
  return groups.flatMap((stages) =>
    [...new Set(stages.flatMap(({ curves }) => [...curves.keys()]))].map((metric) => metricChart(metric, stages))
  )
}

const isAlike = (one: Curves, other: Curves): boolean => {
  const [few, many] = one.curves.size < other.curves.size ? [one, other] : [other, one]
  return [...few.curves.keys()].every((metric) => many.curves.has(metric))
}

const metricChart = (metric: string, stages: ReadonlyArray<Curves>): Section => {
  const series = stages.flatMap(({ stage, curves }) => {
    const points = curves.get(metric)
    return points === undefined ? [] : [{ name: stage, points }]
  })
  const [only] = series
  return {
    _tag: "LineChart",
    title: `${words[metric] ?? metric}${series.length === 1 ? ` of ${only!.name}` : ""}`,
    xLabel: "step",
    yLabel: words[metric] ?? metric,
    ...(metric === "loss" ? {} : { compact: true }),
    smooth: true,
    logarithmic: metric === "loss" && spansDecades(series.flatMap(({ points }) => points)),
    series
  }
}

/** Whether a curve is better read on a logarithmic axis: all positive, from largest to smallest a factor of a hundred or more. */
const spansDecades = (points: ReadonlyArray<Point>): boolean => {
  const lowest = points.reduce((low, [, value]) => Math.min(low, value), Number.POSITIVE_INFINITY)
  const highest = points.reduce((high, [, value]) => Math.max(high, value), 0)
  return lowest > 0 && highest / lowest >= 100
}

/**
 * What a stage says of layers: in its report once it is finished, and by its events until then, or where it leaves no report of them. A
 * continued stage may tell a layer twice; the last is what counts.
 */
export const layersTold = (
  own: ReadonlyArray<Section>,
  events: ReadonlyArray<LoggedEvent>
): Omit<StageLayers, "stage"> => {
  const reported = own.find((section) => section._tag === "Layers")
  if (reported !== undefined) return { errors: reported.errors, layers: reported.layers }
  const last = new Map(eventsOf(LayerQuantized, events).map(({ event }) => [event.layer, event]))
  return { layers: [...last.values()] }
}

const layerColumns: ReadonlyArray<readonly [string, (fact: LayerFact) => string | number | undefined]> = [
  ["quantizer", ({ quantizer }) => quantizer],
  ["bits", ({ bits }) => bits],
  ["error before", ({ errorBefore }) => errorBefore],
  ["error after", ({ errorAfter }) => errorAfter],
  ["size", ({ bytes }) => (bytes === undefined ? undefined : formatBytes(bytes))]
]

/** All layers as a table with the columns that are known of any; nothing for a stage that says nothing of layers. */
export const layerTable = (layers: ReadonlyArray<LayerFact>): ReadonlyArray<Section> => {
  if (layers.length === 0) return []
  const columns = layerColumns.filter(([, of]) => layers.some((layer) => of(layer) !== undefined))
  const bytes = layers.reduce((sum, layer) => sum + (layer.bytes ?? 0), 0)
  return [
    {
      _tag: "Table",
      title: `Layers: ${layers.length}${bytes === 0 ? "" : `, ${formatBytes(bytes)} together`}`,
      columns: ["layer", ...columns.map(([name]) => name)],
      rows: layers.map((layer) => [layer.layer, ...columns.map(([, of]) => of(layer) ?? "-")]),
      folded: true
    }
  ]
}
