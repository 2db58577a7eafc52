/**
 * What the calibration records are before a block of the model: tiles before a vision block and the projector, sequences before a decoder
 * layer. They are carried from block to block, and made from the records again only when a run is continued, with the same bits.
 */
import { join } from "node:path"
import { type ActivationCache, makeActivationCache } from "@speedq/adaround"
import { type Backend, noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import {
  type ModelDirectory,
  projector,
  shuffledFeatures,
  visionBlock,
  visionEmbeddings,
  type Weights
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { embedRecords } from "../autoclip/calibration.ts"
import { eachRecord, type RecordOptions, type Seen } from "../calibration/records.ts"
import { passLayer, type Sequences } from "../calibration/sequences.ts"
import { computing } from "../compute/computing.ts"
import type { MicroBatch } from "../data/SampleLoader.ts"
import { DataUnusable } from "../Errors.ts"
import { visionTokens } from "../planning/cost.ts"
import { type ModelBlock, modelBlocks } from "./modelBlocks.ts"

interface BlockInputsOptions {
  readonly backend: Backend
  readonly directory: ModelDirectory
  readonly records: RecordOptions
  /** Bytes of tiles in memory; the rest is in a file of the stage's directory. */
  readonly memoryBudget: number
}

/** Tiles [1 + N, C] before a vision block, or before the projector. */
interface Tiles {
  readonly count: number
  readonly cache: ActivationCache
  readonly seen: Seen
}

/** What is said where tower or projector are to be quantized, and no record has a picture. */
export const noPictures = (meta: string): string =>
  `${meta} has no pictures to calibrate the vision tower and the projector on; give records with pictures, or rules for the decoder alone`

const seesTiles = ({ tower }: ModelBlock): boolean => tower !== "language"

export const makeBlockInputs = ({ backend, directory, records, memoryBudget }: BlockInputsOptions) => {
  const { config } = directory
  const { vision_config: vision, llm_config: language } = config
  const blocks = modelBlocks(config)
  const tileShape = [1, visionTokens(config), vision.hidden_size]
  let tiles: Tiles | undefined
  let sequences: (Sequences & { readonly seen: Seen | undefined }) | undefined
  /** Place of the block that the inputs are before. */
  let place = 0

  const close = (): void => {
    tiles?.cache.dispose()
    tiles = undefined
    sequences?.hidden.release()
    sequences = undefined
  }

  const write = async ({ cache }: Pick<Tiles, "cache">, at: number, compute: () => Tensor): Promise<void> => {
    const result = noGrad(() => scope(compute))
    cache.write(at, (await result.read()) as Float32Array)
    result.release()
  }

  const tileAt = ({ cache }: Tiles, at: number): Tensor => {
    const row = new Float32Array(cache.sizeOf(at))
    cache.read(at, row)
    return tensor(backend, row, tileShape)
  }

  /** Embeddings of all tiles. The records are read twice: how many tiles they have is known only then. */
  const openTiles = Effect.fnUntraced(function* (weights: Weights, tells: boolean) {
    let count = 0
    yield* eachRecord({ ...records, tells: false }, ({ tileKeys }) =>
      Effect.sync(() => {
        count += tileKeys.length
      })
    )
    if (count === 0) return yield* new DataUnusable({ reason: noPictures(records.data.meta) })
    const spillFile = join(records.stage.directory, "tiles.cache")
    const cache = makeActivationCache({ count, memoryBudget, spillFile })
    let at = 0
    const embed = async ({ pixelValues, tileKeys, tileSize }: MicroBatch) => {
      const size = 3 * tileSize ** 2
      for (const tile of tileKeys.keys()) {
        const pixels = pixelValues.subarray(tile * size, (tile + 1) * size)
        await write({ cache }, at++, () =>
          visionEmbeddings(weights, vision, tensor(backend, pixels, [1, 3, tileSize, tileSize]))
        )
      }
    }
    const seen = yield* eachRecord({ ...records, tells }, (record) => computing(() => embed(record))).pipe(
      Effect.onError(() => Effect.sync(() => cache.dispose()))
    )
    return { count, cache, seen } satisfies Tiles
  })

  const advance = async ({ tower, name, index }: ModelBlock, weights: Weights): Promise<void> => {
    if (tower === "language") {
      const before = sequences!
      sequences = { ...before, hidden: passLayer(weights, language, index, before) }
      before.hidden.release()
    } else {
      for (let at = 0; at < tiles!.count; at++) {
        await write(tiles!, at, () => visionBlock(weights, vision, name, tileAt(tiles!, at)))
      }
    }
  }

  return {
    close,
    /** What was seen of the records; undefined before a block was entered. */
    seen: (): Seen | undefined => (sequences ?? tiles)?.seen,
    /**
     * Carries the inputs to a block, through the blocks before it. `tells` says whether records that cannot be used are told, which
     * they are once. Fails with DataUnusable, SampleWorkerFailed and ComputeFailed.
     */
    enter: Effect.fnUntraced(function* (block: ModelBlock, weights: Weights, tells: boolean) {
      const wanted = blocks.findIndex(({ name }) => name === block.name)
      const isOpen = (seesTiles(block) ? tiles : sequences) !== undefined
      if (!isOpen || place > wanted) {
        close()
        place = blocks.findIndex((first) => seesTiles(first) === seesTiles(block))
        if (seesTiles(block)) tiles = yield* openTiles(weights, tells)
        else sequences = yield* embedRecords({ ...records, backend, directory, weights, tells })
      }
      for (; place < wanted; place++) yield* computing(() => advance(blocks[place]!, weights))
    }),
    /** Runs the block that was entered on each of its inputs, for `weights.observe` to see. */
    observe: ({ tower, name, index }: ModelBlock, weights: Weights): void => {
      if (tower === "language") {
        passLayer(weights, language, index, sequences!).release()
        return
      }
      for (let at = 0; at < tiles!.count; at++) {
        const run = () => {
          const tile = tileAt(tiles!, at)
          if (tower === "vision") visionBlock(weights, vision, name, tile)
          else projector(weights, shuffledFeatures(config, tile))
        }
        noGrad(() => scope(run))
      }
    },
    /** Sequences before the decoder layer that was entered. */
    sequences: (): Sequences => sequences!
  }
}

export type BlockInputs = ReturnType<typeof makeBlockInputs>
