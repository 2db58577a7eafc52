/** Which layers an integer layout holds as codes, and as which modules. */
import { layerOf, parameterOf } from "@speedq/formats"
import { storedNames } from "@speedq/vlm-model"
import type { QuantizedLayer } from "../exporter/Holding.ts"
import type { IntegerLayout, IntegerModule } from "./IntegerLayout.ts"
import { mostCommon, settingsOf } from "./modulesBySettings.ts"

/** Modules of a layer in transformers' layout: one, or three for the fused queries, keys and values. */
export const moduleNamesOf = (layer: string): readonly string[] => {
  const parameter = parameterOf(layer)
  return storedNames([parameter], "huggingface").get(parameter)!.map(layerOf)
}

/** The modules of a layer with affine codes, equal runs of its rows; undefined for other codes. */
export const modulesOf = ({ layer, shape, choice }: QuantizedLayer): readonly IntegerModule[] | undefined => {
  const extents = choice.quantizer.affine?.extents(choice.config)
  if (extents === undefined) return undefined
  const names = moduleNamesOf(layer)
  const [rows, columns] = shape as readonly [number, number]
  const { bits, group } = extents
  return names.map((module) => ({ module, rows: rows / names.length, columns, bits, group }))
}

/** Whether the layout has a form for the layer. Embedding and head have no codes in these formats. */
const isHeld = ({ holds }: IntegerLayout, quantized: QuantizedLayer): boolean =>
  quantized.kind === "linear" && modulesOf(quantized)?.every(holds) === true

/** The layers that keep their codes: where all must have the same settings, those that most have. */
export const heldLayers = (layout: IntegerLayout, layers: readonly QuantizedLayer[]): readonly QuantizedLayer[] => {
  const held = layers.filter((layer) => isHeld(layout, layer))
  if (!layout.uniform || held.length === 0) return held
  const settings = (layer: QuantizedLayer) => settingsOf(modulesOf(layer)![0]!)
  const common = settingsOf(mostCommon(held.flatMap((layer) => modulesOf(layer)!)))
  return held.filter((layer) => settings(layer) === common)
}

/** Whether scales in f16 are rounded: where the quantizer does not store them so. */
export const roundsScales = ({ choice: { quantizer, config }, shape }: QuantizedLayer): boolean =>
  quantizer.stored(config, shape).find(({ name }) => name === "scale")?.dtype !== "f16"
