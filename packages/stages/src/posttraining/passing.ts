/** How much passing a stage that quantizes block after block has to do, before any work. */
import { blocksUsed, type ModelConfig } from "@speedq/vlm-model"
import { meanOf, type SequencesExtent } from "../calibration/extent.ts"
import { layersByInput, layersOfBlock, type ModelBlock, modelBlocks } from "../model/modelBlocks.ts"
import { chosenMatrices, type PlannedLayers, quantizing } from "../model/plannedLayers.ts"
import { languageLayerFlops, visionBlockFlops, visionTokens } from "../planning/cost.ts"

interface Passing {
  /** All tokens that a block of each kind reads. */
  readonly tileTokens: number
  readonly tokens: number
  /** Floating-point operations in the tower and in the decoder: each block before the last one to be quantized, and these once more. */
  readonly vision: number
  readonly language: number
}

export const passingOf = (
  config: ModelConfig,
  { count, like }: SequencesExtent,
  quantized: readonly ModelBlock[]
): Passing => {
  const mean = meanOf(like)
  const tiles = count * mean((each) => each.tiles)
  const names = new Set(quantized.map(({ name }) => name))
  const passes = (language: boolean): number => {
    const blocks = modelBlocks(config).filter(
      ({ tower }) => (tower === "language") === language && tower !== "projector"
    )
    const end = blocks.findLastIndex(({ name }) => names.has(name))
    return blocks.slice(0, end + 1).length + blocks.filter(({ name }) => names.has(name)).length
  }
  const decodes = quantized.some(({ tower }) => tower === "language")
  // Before the decoder, the whole tower sees the tiles once more.
  const seeing = passes(false) + (decodes ? blocksUsed(config) : 0)
  return {
    tileTokens: tiles * visionTokens(config),
    tokens: count * mean(({ tokens }) => tokens),
    vision: tiles * visionBlockFlops(config) * seeing,
    language: count * passes(true) * mean(({ tokens }) => languageLayerFlops(config, tokens))
  }
}

/** Columns of the second moments that a block needs: one matrix for all Linears that read the same inputs. */
export const hessianColumns = (config: ModelConfig, linears: PlannedLayers, block: ModelBlock): readonly number[] => {
  const shapes = new Map(chosenMatrices(linears).map(({ layer, shape }) => [layer, shape] as const))
  const layers = layersOfBlock(quantizing(linears.choices), block.name).keys()
  return layersByInput(config, block, layers).map(([first]) => shapes.get(first!)![1]!)
}

/** Floating-point operations of summing them, in the tower and projector, and in the decoder. */
export const hessianFlops = (
  config: ModelConfig,
  linears: PlannedLayers,
  blocks: readonly ModelBlock[],
  { tileTokens, tokens }: Passing
) => {
  const of = (language: boolean, rows: number): number =>
    blocks
      .filter(({ tower }) => (tower === "language") === language)
      .flatMap((block) => hessianColumns(config, linears, block))
      .reduce((sum, columns) => sum + 2 * rows * columns ** 2, 0)
  return { vision: of(false, tileTokens), language: of(true, tokens) }
}
