/** The blocks of the vision tower, one open at a time: its grids made, its caches filled from the block before it. */
import { type Block, type LayerGrids, makeLayerGrids, type RoundedLayer } from "@speedq/adaround"
import type { SourceModel } from "@speedq/exports"
import { packedWeights } from "@speedq/exports"
import { parameterOf } from "@speedq/formats"
import { noneQuantizer, type PackedWeights, type QuantizerChoice } from "@speedq/quantizers"
import { type Backend, cast, noGrad, type Parameters, scope, tensor } from "@speedq/tensors"
import {
  blocksUsed,
  type ModelConfig,
  tileSize,
  visionBlock,
  visionBlockName,
  visionEmbeddings,
  weightsFrom
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type ComputeFailed, computing } from "../compute/computing.ts"
import type { CalibrationTiles } from "../data/CalibrationTiles.ts"
import type { DataUnusable } from "../Errors.ts"
import type { BlockCaches, BlockFunction } from "./BlockCaches.ts"
import type { FisherGradient } from "./fisherGradient.ts"

interface VisionSessionOptions {
  readonly backend: Backend
  readonly model: SourceModel
  /** By layer. */
  readonly choices: ReadonlyMap<string, QuantizerChoice>
  readonly caches: BlockCaches
  readonly tiles: CalibrationTiles
  /** Gradient of the task's loss at a block's full-precision output of a tile; undefined where errors count alike. */
  readonly fisher: FisherGradient | undefined
}

interface VisionSession {
  /** The block at `index`, its caches filled: advanced from the open block where that comes before, else from the pixels. */
  readonly enter: (done: PackedWeights, index: number) => Effect.Effect<Block, ComputeFailed | DataUnusable>
  readonly close: () => void
}

/** Choices of one block's Linears. */
export const choicesOfBlock = (choices: VisionSessionOptions["choices"], index: number) =>
  [...choices].filter(([layer]) => layer.startsWith(`${visionBlockName(index)}.`))

/** The blocks that have anything to round, in order. */
export const roundedBlocks = (choices: VisionSessionOptions["choices"], config: ModelConfig): readonly number[] =>
  Array.from({ length: blocksUsed(config) }, (_, index) => index).filter((index) =>
    choicesOfBlock(choices, index).some(([, { quantizer }]) => quantizer.id !== noneQuantizer.id)
  )

export const makeVisionSession = (options: VisionSessionOptions): VisionSession => {
  const { backend, model, choices, caches, tiles, fisher } = options
  const { config } = model.directory
  const { vision_config } = config
  const size = tileSize(config)
  let open: { readonly index: number; readonly block: Block } | undefined

  const embed = (pixels: Float32Array) =>
    visionEmbeddings(weightsFrom(model.weights), vision_config, tensor(backend, pixels, [1, 3, size, size]))
  const original =
    (index: number): BlockFunction =>
    (x) =>
      visionBlock(weightsFrom(model.weights), vision_config, visionBlockName(index), x)
  const rounded = (done: PackedWeights, index: number): BlockFunction => {
    const weights = packedWeights(done, model.weights)
    return (x) => visionBlock(weights, vision_config, visionBlockName(index), x)
  }

  const releaseWeights = (layers: { readonly [name: string]: RoundedLayer }, kept: LayerGrids): void => {
    for (const [name, { weight }] of Object.entries(layers)) if (!(name in kept)) weight.release()
  }

  const grids = async (index: number): Promise<LayerGrids> => {
    const layers: { readonly [name: string]: RoundedLayer } = noGrad(() =>
      Object.fromEntries(
        choicesOfBlock(choices, index).map(([layer, choice]) => [
          layer,
          { weight: scope(() => cast(model.weights[parameterOf(layer)]!, "f32")), choice }
        ])
      )
    )
    try {
      const made = await makeLayerGrids(visionBlockName(index), layers)
      // A layer that stays as it is has no grid to belong to.
      releaseWeights(layers, made)
      return made
    } catch (error) {
      releaseWeights(layers, {})
      throw error
    }
  }

  const openBlock = async (index: number): Promise<Block> => ({
    name: visionBlockName(index),
    grids: await grids(index),
    forward: (weights: Parameters, x) => {
      const matrices = Object.fromEntries(
        Object.entries(weights).map(([layer, weight]) => [parameterOf(layer), weight])
      )
      return visionBlock(weightsFrom(matrices, model.weights), vision_config, visionBlockName(index), x)
    }
  })

  const close = (): void => {
    for (const grid of Object.values(open?.block.grids ?? {})) {
      grid.release()
      grid.weight.release()
    }
    open = undefined
  }

  const advance = Effect.fnUntraced(function* (done: PackedWeights, index: number) {
    const [through, next] = [rounded(done, index - 1), original(index)]
    for (let tile = 0; tile < caches.count; tile++) yield* computing(() => caches.advance(tile, through, next))
  })

  /** Gradients are taken of the full-precision model, whatever was rounded: a continued run finds the same. */
  const weigh = Effect.fnUntraced(function* (index: number) {
    if (fisher === undefined) return
    for (let tile = 0; tile < caches.count; tile++) {
      yield* computing(() => caches.weigh(tile, (target) => fisher(tile, index, target)))
    }
  })

  return {
    close,
    enter: Effect.fnUntraced(function* (done, index) {
      if (open?.index === index) return open.block
      let reached = open?.index
      close()
      if (reached === undefined || reached > index) {
        const first = original(0)
        yield* tiles.visit((pixels, tile) => computing(() => caches.start(tile, () => embed(pixels), first)))
        reached = 0
      }
      for (let next = reached + 1; next <= index; next++) yield* advance(done, next)
      yield* weigh(index)
      const block = yield* computing(() => openBlock(index))
      open = { index, block }
      return block
    })
  }
}
