/** The sections that every stage gets from its events: a curve for each number of its steps, and its layers. */
import { eventsOf, type LoggedEvent } from "../events/readEvents.ts"
import { LayerQuantized, StepDone } from "../events/runEvents.ts"
import type { Section } from "../report/Report.ts"
import { formatBytes, formatNumber } from "../text/format.ts"

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

/** One chart for each metric, the loss first and large. A number that is told once in many steps has no curve. */
export const metricCharts = (events: ReadonlyArray<LoggedEvent>): ReadonlyArray<Section> => {
  const curves = new Map<string, Array<Point>>([["loss", []]])
  const done = eventsOf(StepDone, events)
  for (const { event } of done) {
    for (const [name, value] of Object.entries(event.metrics)) {
      const points = curves.get(name) ?? []
      points.push([event.step, value])
      curves.set(name, points)
    }
  }
  return [...curves]
    .filter(([, points]) => points.length > 1 && points.length > done.length / 10)
    .map(([name, points]) => ({
      _tag: "LineChart",
      title: words[name] ?? name,
      xLabel: "step",
      yLabel: name,
      ...(name === "loss" ? {} : { compact: true }),
      logarithmic: name === "loss" && spansDecades(points),
      series: [{ name, points }]
    }))
}

/** Whether a curve is better read on a logarithmic axis: all positive, from largest to smallest a factor of a hundred or more. */
const spansDecades = (points: ReadonlyArray<Point>): boolean => {
  const lowest = points.reduce((low, [, value]) => Math.min(low, value), Number.POSITIVE_INFINITY)
  const highest = points.reduce((high, [, value]) => Math.max(high, value), 0)
  return lowest > 0 && highest / lowest >= 100
}

/** Error before and after and bits of each layer, as charts and as a table; nothing for a stage that quantized none. */
export const layerSections = (events: ReadonlyArray<LoggedEvent>): ReadonlyArray<Section> => {
  // A continued stage may tell a layer twice; the last is what counts.
  const layers = [...new Map(eventsOf(LayerQuantized, events).map(({ event }) => [event.layer, event])).values()]
  if (layers.length === 0) return []
  const bytes = layers.reduce((sum, layer) => sum + layer.bytes, 0)
  const errors = layers.map(({ layer, errorBefore, errorAfter }) => ({
    label: layer,
    values: [errorBefore, errorAfter]
  }))
  const bits: Section = {
    _tag: "BarChart",
    title: "Bits per layer",
    yLabel: "bits per weight, scales included",
    series: ["bits"],
    groups: layers.map((layer) => ({ label: layer.layer, values: [layer.bits] }))
  }
  return [
    {
      _tag: "BarChart",
      title: "Error per layer",
      yLabel: "error before (rounding to nearest) and after this stage",
      logarithmic: errors.every(({ values }) => values.every((value) => value > 0)),
      series: ["before", "after"],
      groups: errors
    },
    ...(new Set(layers.map((layer) => layer.bits)).size > 1 ? [bits] : []),
    {
      _tag: "Table",
      title: `Layers: ${layers.length}, ${formatBytes(bytes)} together`,
      columns: ["layer", "quantizer", "bits", "error before", "error after", "ratio", "size"],
      rows: layers.map((layer) => [
        layer.layer,
        layer.quantizer,
        layer.bits,
        layer.errorBefore,
        layer.errorAfter,
        layer.errorBefore > 0 ? formatNumber(layer.errorAfter / layer.errorBefore) : "-",
        formatBytes(layer.bytes)
      ])
    }
  ]
}
