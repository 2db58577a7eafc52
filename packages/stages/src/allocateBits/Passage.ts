/**
 * Records on their way through the full-precision model, all before one block: what a change of that block does to the predictions
 * takes the rest of the way alone, and the next block is one step away.
 */
import { releaseParameters } from "@speedq/exports"
import type { QuantizerChoice } from "@speedq/quantizers"
import { type Backend, noGrad, type Parameters, scope, type Tensor, tensor } from "@speedq/tensors"
import {
  blocksUsed,
  decoder,
  decoderLayer,
  headLayerOf,
  type ModelDirectory,
  shuffledFeatures,
  visionBlock,
  visionBlockName,
  visionEmbeddings,
  type Weights,
  weightsFrom
} from "@speedq/vlm-model"
import type { MicroBatch } from "../data/SampleLoader.ts"
import { batchDivergence } from "../model/divergence.ts"
import { roundedMatrices } from "../model/roundedMatrices.ts"
import { inputEmbeddings, positionsOf } from "../training/hiddenStates.ts"

interface PassageOptions {
  readonly backend: Backend
  readonly directory: ModelDirectory
  readonly weights: Parameters
  readonly records: readonly MicroBatch[]
}

interface Passage {
  /**
   * KL(full precision || the model with these layers rounded to nearest) in nats, summed over the answer tokens of all records. The
   * layers belong to the block at `position`, counted through the vision tower and then the decoder.
   */
  readonly divergence: (position: number, choices: ReadonlyMap<string, QuantizerChoice>) => Promise<number>
  readonly close: () => void
}

/** Hidden states of a record: [tiles, N, C] in the vision tower, where text has none, and [1, T, H] in the decoder. */
type Hidden = Tensor | undefined

export const makePassage = ({ backend, directory, weights: parameters, records }: PassageOptions): Passage => {
  const { config } = directory
  const { vision_config: vision, llm_config: language } = config
  const towerBlocks = blocksUsed(config)
  const head = headLayerOf(language)
  const original = weightsFrom(parameters)
  let open: { position: number; readonly hidden: Hidden[] } | undefined
  /** Final hidden states of the full-precision model. */
  let taught: readonly Tensor[] = []

  const close = (): void => {
    for (const each of [...(open?.hidden ?? []), ...taught]) each?.release()
    open = undefined
    taught = []
  }

  const begin = ({ tileKeys: { length: tiles }, pixelValues, tileSize }: MicroBatch): Hidden =>
    tiles === 0
      ? undefined
      : scope(() => visionEmbeddings(original, vision, tensor(backend, pixelValues, [tiles, 3, tileSize, tileSize])))

  /** Through a block of the vision tower; after the last one as the decoder sees it. */
  const throughTower = (weights: Weights, batch: MicroBatch, position: number, x: Hidden): Hidden =>
    scope(() => {
      const seen = x && visionBlock(weights, vision, visionBlockName(position), x)
      if (position + 1 < towerBlocks) return seen
      const features = seen && shuffledFeatures(config, seen)
      return inputEmbeddings({ backend, directory, weights, batch, features })
    })

  const through = (batch: MicroBatch, position: number, x: Hidden): Hidden =>
    position < towerBlocks
      ? throughTower(original, batch, position, x)
      : scope(() => decoderLayer(original, language, position - towerBlocks, x!, positionsOf(backend, batch)))

  /** From the input of the block at `position` to the final hidden states [1, T, H]. */
  const toTheEnd = (weights: Weights, batch: MicroBatch, position: number, x: Hidden): Tensor =>
    scope(() => {
      let hidden = x
      for (let at = position; at < towerBlocks; at++) {
        const next = throughTower(weights, batch, at, hidden)
        if (hidden !== x) hidden?.release()
        hidden = next
      }
      const positions = positionsOf(backend, batch)
      return decoder(weights, language, hidden!, positions, undefined, (index, states) =>
        index < position - towerBlocks ? states : decoderLayer(weights, language, index, states, positions)
      )
    })

  /** Brings all records before a block: from where they are, or from their pictures. */
  const enter = (position: number) =>
    noGrad(() => {
      if (open === undefined || open.position > position) {
        close()
        open = { position: 0, hidden: [] }
        for (const batch of records) open.hidden.push(begin(batch))
      }
      for (; open.position < position; open.position++) {
        for (const [at, batch] of records.entries()) {
          const before = open.hidden[at]
          open.hidden[at] = through(batch, open.position, before)
          before?.release()
        }
      }
      if (taught.length > 0) return open.hidden
      const finished: Tensor[] = []
      taught = finished
      for (const [at, batch] of records.entries()) {
        finished.push(toTheEnd(original, batch, position, open.hidden[at]))
      }
      return open.hidden
    })

  const measure = async (position: number, choices: ReadonlyMap<string, QuantizerChoice>): Promise<number> => {
    const hidden = enter(position)
    const rounded = scope(() => roundedMatrices(parameters, choices))
    const weights = weightsFrom(rounded, parameters)
    let total = 0
    try {
      for (const [at, batch] of records.entries()) {
        // Text does not pass the vision tower.
        if (hidden[at] === undefined) continue
        const changed = noGrad(() => toTheEnd(weights, batch, position, hidden[at]))
        const [teacher, student] = [
          { hidden: taught[at]!, weights: original, head },
          { hidden: changed, weights, head }
        ]
        total += await batchDivergence(batch, teacher, student)
          .then(({ sum }) => sum)
          .finally(() => changed.release())
      }
    } finally {
      releaseParameters(rounded)
    }
    return total
  }

  return {
    close,
    divergence: async (position, choices) => {
      try {
        return await measure(position, choices)
      } catch (error) {
        // Some records may be a block further than others.
        close()
        throw error
      }
    }
  }
}
