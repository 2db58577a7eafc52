/**
 * What the calibration records are before a block of the model: tiles before a vision block and the projector, sequences before a decoder
 * layer. They are carried from block to block, and made from the records again only when a run is continued, with the same bits.
 */
import { join } from "node:path"
import { type ActivationCache, makeActivationCache } from "@speedq/adaround"
import { type Backend, noGrad, scope, sizeOf, type Tensor, tensor } from "@speedq/tensors"
import {
  type ModelDirectory,
  projector,
  shuffledFeatures,
  visionBlock,
  visionEmbeddings,
  type Weights
} from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { embedRecords } from "../calibration/calibration.ts"
import { eachRecord, type RecordOptions } from "../calibration/records.ts"
import type { Seen } from "../calibration/seen.ts"
import { passLayer, type Sequences } from "../calibration/sequences.ts"
import { computing } from "../compute/computing.ts"
import type { MicroBatch } from "../data/SampleLoader.ts"
import { DataUnusable } from "../Errors.ts"
import { type ModelBlock, modelBlocks } from "../model/modelBlocks.ts"
import { visionTokens } from "../planning/cost.ts"

interface BlockInputsOptions {
  readonly backend: Backend
  readonly directory: ModelDirectory
  readonly records: RecordOptions
  /** Bytes of tiles in memory; the rest is in a file of the stage's directory. */
  readonly memoryBudget: number
}

/** Tiles [1 + N, C] before a vision block, or before the projector: those of a record together. */
interface Tiles {
  /** Records. */
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
  const tileFloats = sizeOf(tileShape)
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

  /** The tiles of a record by themselves; who writes to one writes to the record. */
  const tilesIn = (record: Float32Array): readonly Float32Array[] =>
    Array.from({ length: record.length / tileFloats }, (_, at) =>
      record.subarray(at * tileFloats, (at + 1) * tileFloats)
    )

  const compute = async (tile: Float32Array, body: () => Tensor): Promise<void> => {
    const result = noGrad(() => scope(body))
    tile.set((await result.read().finally(() => result.release())) as Float32Array)
  }

  const readRecord = ({ cache }: Tiles, at: number): Float32Array => {
    const record = new Float32Array(cache.sizeOf(at))
    cache.read(at, record)
    return record
  }

  /** Embeddings of all tiles. */
  const openTiles = Effect.fnUntraced(function* (weights: Weights, tells: boolean) {
    const spillFile = join(records.stage.directory, "tiles.cache")
    const cache = makeActivationCache({ count: records.documents, memoryBudget, spillFile })
    const embed = async ({ pixelValues, tileKeys, tileSize }: MicroBatch, at: number) => {
      const record = new Float32Array(tileKeys.length * tileFloats)
      const size = 3 * tileSize ** 2
      for (const [index, tile] of tilesIn(record).entries()) {
        const pixels = pixelValues.subarray(index * size, (index + 1) * size)
        await compute(tile, () =>
          visionEmbeddings(weights, vision, tensor(backend, pixels, [1, 3, tileSize, tileSize]))
        )
      }
      cache.write(at, record)
      return tileKeys.length
    }
    return yield* Effect.gen(function* () {
      let [count, tileCount] = [0, 0]
      const seen = yield* eachRecord({ ...records, tells }, (record, at) =>
        Effect.map(
          computing(() => embed(record, at)),
          (found) => {
            count++
            tileCount += found
          }
        )
      )
      if (tileCount === 0) return yield* new DataUnusable({ reason: noPictures(records.data.meta) })
      return { count, cache, seen } satisfies Tiles
    }).pipe(Effect.onError(() => Effect.sync(() => cache.dispose())))
  })

  const advance = async ({ tower, name, index }: ModelBlock, weights: Weights): Promise<void> => {
    if (tower === "language") {
      const before = sequences!
      sequences = { ...before, hidden: passLayer(weights, language, index, before) }
      before.hidden.release()
    } else {
      for (let at = 0; at < tiles!.count; at++) {
        const record = readRecord(tiles!, at)
        for (const tile of tilesIn(record)) {
          await compute(tile, () => visionBlock(weights, vision, name, tensor(backend, tile, tileShape)))
        }
        tiles!.cache.write(at, record)
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
      const run = (tile: Tensor) =>
        tower === "vision"
          ? visionBlock(weights, vision, name, tile)
          : projector(weights, shuffledFeatures(config, tile))
      for (let at = 0; at < tiles!.count; at++) {
        for (const tile of tilesIn(readRecord(tiles!, at))) {
          noGrad(() => scope(() => run(tensor(backend, tile, tileShape)))).release()
        }
      }
    },
    /** Sequences before the decoder layer that was entered. */
    sequences: (): Sequences => sequences!
  }
}

export type BlockInputs = ReturnType<typeof makeBlockInputs>
