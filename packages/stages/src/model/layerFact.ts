/** What stages tell of layers, for the map of the layers in a run's report. */
import type { Report } from "@speedq/pipeline"
import type { PackedWeights, QuantizerChoice } from "@speedq/quantizers"

/** What the quantizer of a layer says of it. */
export const layerFact = (layer: string, { quantizer, config }: QuantizerChoice): Report.LayerFact => ({
  layer,
  quantizer: quantizer.id,
  bits: quantizer.bitsPerWeight(config)
})

const section = (layers: readonly Report.LayerFact[]): readonly Report.Section[] =>
  layers.length === 0 ? [] : [{ _tag: "Layers", title: "Layers", layers }]

/** Layers that have their quantizers and are not packed yet. */
export const chosenLayers = (choices: ReadonlyMap<string, QuantizerChoice>): readonly Report.Section[] =>
  section([...choices].map(([layer, choice]) => layerFact(layer, choice)))

export const packedLayers = (packed: PackedWeights): readonly Report.Section[] =>
  section([...packed].map(([layer, { choice, bytes }]) => ({ ...layerFact(layer, choice), bytes })))
