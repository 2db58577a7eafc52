/** The blocks of a tower, one open at a time: its grids made, its caches filled from the block before it. */
import { type Block, type LayerGrids, makeLayerGrids, type RoundedLayer } from "@speedq/adaround"
import { packedWeights } from "@speedq/exports"
import { parameterOf } from "@speedq/formats"
import type { PackedWeights, QuantizerChoice } from "@speedq/quantizers"
import { cast, noGrad, type Parameters, scope, type Tensor } from "@speedq/tensors"
import { weightsFrom } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type ComputeFailed, computing } from "../compute/computing.ts"
import { layersOfBlock } from "../model/modelBlocks.ts"
import type { BlockCaches, BlockFunction } from "./BlockCaches.ts"
import type { BlockTower } from "./BlockTower.ts"

/** Gradient [T, C] of the task's loss at the full-precision output [1, T, C] of block `index`. */
export type BlockWeighing = (sample: number, index: number, output: Tensor) => Promise<Float32Array>

interface BlockSessionOptions<E, R> {
  readonly tower: BlockTower<E, R>
  /** By layer. */
  readonly choices: ReadonlyMap<string, QuantizerChoice>
  readonly caches: BlockCaches
  /** Undefined where errors count alike. */
  readonly weighing: BlockWeighing | undefined
}

export interface BlockSession<E, R> {
  /** The block at `index`, its caches filled: advanced from the open block where that comes before, else from the samples. */
  readonly enter: (done: PackedWeights, index: number, begins: boolean) => Effect.Effect<Block, E | ComputeFailed, R>
  /** Whether the block at `index` is open. */
  readonly isAt: (index: number) => boolean
  readonly close: () => void
}

export const makeBlockSession = <E, R>(options: BlockSessionOptions<E, R>): BlockSession<E, R> => {
  const { tower, choices, caches, weighing } = options
  const { blocks, weights: originals } = tower
  let open: { readonly index: number; readonly block: Block } | undefined

  const original =
    (index: number): BlockFunction =>
    (x) =>
      tower.forward(weightsFrom(originals), index, x)
  const quantized = (done: PackedWeights, index: number): BlockFunction => {
    const weights = packedWeights(done, originals)
    return (x) => tower.forward(weights, index, x)
  }

  const releaseWeights = (layers: { readonly [name: string]: RoundedLayer }, kept: LayerGrids): void => {
    for (const [name, { weight }] of Object.entries(layers)) if (!(name in kept)) weight.release()
  }

  const grids = async (name: string): Promise<LayerGrids> => {
    const layers: { readonly [name: string]: RoundedLayer } = noGrad(() =>
      Object.fromEntries(
        [...layersOfBlock(choices, name)].map(([layer, choice]) => [
          layer,
          { weight: scope(() => cast(originals[parameterOf(layer)]!, "f32")), choice }
        ])
      )
    )
    try {
      const made = await makeLayerGrids(name, layers)
      // A layer that stays as it is has no grid to belong to.
      releaseWeights(layers, made)
      return made
    } catch (error) {
      releaseWeights(layers, {})
      throw error
    }
  }

  const openBlock = async (index: number): Promise<Block> => ({
    name: blocks[index]!,
    grids: await grids(blocks[index]!),
    forward: (weights: Parameters, x) => {
      const matrices = Object.fromEntries(
        Object.entries(weights).map(([layer, weight]) => [parameterOf(layer), weight])
      )
      return tower.forward(weightsFrom(matrices, originals), index, x)
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
    const [through, next] = [quantized(done, index - 1), original(index)]
    for (let sample = 0; sample < caches.count; sample++) yield* computing(() => caches.advance(sample, through, next))
  })

  /** Gradients are taken of the full-precision model, whatever was rounded: a continued run finds the same. */
  const weigh = Effect.fnUntraced(function* (index: number) {
    if (weighing === undefined) return
    for (let sample = 0; sample < caches.count; sample++) {
      yield* computing(() => caches.weigh(sample, (target) => weighing(sample, index, target)))
    }
  })

  return {
    close,
    isAt: (index) => open?.index === index,
    enter: Effect.fnUntraced(function* (done, index, begins) {
      if (open?.index === index) return open.block
      let reached = open?.index
      close()
      if (reached === undefined || reached > index) {
        const first = original(0)
        yield* tower.visit((inputs, sample) => computing(() => caches.start(sample, inputs, first)), begins)
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
