/** What stages tell of layers, for the map of the layers in a run's report. */
import type { Report } from "@speedq/pipeline"
import type { PackedWeights, QuantizerChoice } from "@speedq/quantizers"

/** What the quantizer of a layer says of it. */
export const layerFact = (layer: string, { quantizer, config }: QuantizerChoice): Report.LayerFact => ({
  layer,
  quantizer: quantizer.id,
  bits: quantizer.bitsPerWeight(config)
})

/** The same with the errors of the layer's output, its weight rounded to nearest and as a stage left it. */
export const measuredFact = (
  layer: string,
  choice: QuantizerChoice | undefined,
  { before: errorBefore, after: errorAfter }: { readonly before: number; readonly after: number },
  bytes?: number
): Report.LayerFact => ({
  ...(choice ? layerFact(layer, choice) : { layer }),
  ...(bytes !== undefined && { bytes }),
  errorBefore,
  errorAfter
})

/** Facts as a section; `errors` says what their errors are. */
export const layersSection = (layers: readonly Report.LayerFact[], errors?: string): readonly Report.Section[] =>
  layers.length === 0 ? [] : [{ _tag: "Layers", title: "Layers", ...(errors === undefined ? {} : { errors }), layers }]

/** Layers that have their quantizers and are not packed yet. */
export const chosenLayers = (choices: ReadonlyMap<string, QuantizerChoice>): readonly Report.Section[] =>
  layersSection([...choices].map(([layer, choice]) => layerFact(layer, choice)))

export const packedLayers = (packed: PackedWeights): readonly Report.Section[] =>
  layersSection([...packed].map(([layer, { choice, bytes }]) => ({ ...layerFact(layer, choice), bytes })))
