/** The model as a row of blocks, each of which reads what the one before it gives: vision blocks, projector, decoder layers. */
import {
  blocksUsed,
  decoderLayerName,
  layerNames,
  type ModelConfig,
  type Tower,
  visionBlockName
} from "@speedq/vlm-model"
import { type Choices, quantizing } from "./plannedLayers.ts"

export interface ModelBlock {
  readonly tower: Tower
  /** Among the blocks of its tower. */
  readonly index: number
  /** Names of its layers begin with this and a dot. */
  readonly name: string
}

export const modelBlocks = (config: ModelConfig): readonly ModelBlock[] => {
  const named = (tower: Tower, count: number, nameOf: (index: number) => string) =>
    Array.from({ length: count }, (_, index): ModelBlock => ({ tower, index, name: nameOf(index) }))
  return [
    ...named("vision", blocksUsed(config), visionBlockName),
    ...named("projector", 1, () => "mlp1"),
    ...named("language", config.llm_config.num_hidden_layers, decoderLayerName)
  ]
}

/** Names of the blocks of a tower that the model uses, in order. */
export const blockNames = (config: ModelConfig, tower: Tower): readonly string[] =>
  modelBlocks(config).flatMap((block) => (block.tower === tower ? [block.name] : []))

/** Entries of a map of layers that belong to a block, by its name. */
export const layersOfBlock = <T>(layers: ReadonlyMap<string, T>, block: string): ReadonlyMap<string, T> =>
  new Map([...layers].filter(([layer]) => layer.startsWith(`${block}.`)))

/** The blocks that have anything to quantize, in order. */
export const blocksToQuantize = (config: ModelConfig, choices: Choices): readonly ModelBlock[] => {
  const quantized = quantizing(choices)
  return modelBlocks(config).filter(({ name }) => layersOfBlock(quantized, name).size > 0)
}

/** Layers of a block that read the same inputs, together. */
export const layersByInput = (
  { llm_config: language }: ModelConfig,
  { tower, index }: ModelBlock,
  layers: Iterable<string>
): readonly (readonly string[])[] => {
  const own = [...layers]
  if (tower !== "language") return own.map((layer) => [layer])
  const { qkv, output, gate, up, down } = layerNames(language, index)
  return [Object.values<string>(qkv), [output], [gate, up], [down]]
    .map((names) => names.filter((name) => own.includes(name)))
    .filter((names) => names.length > 0)
}
