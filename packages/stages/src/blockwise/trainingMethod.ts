/** Block-AP as a way to fit a block: weights and grids are trained by straight-through gradients (docs/method.md, "Block-AP"). */
import {
  type BlockTrainingOptions,
  type Grids,
  initialTraining,
  type LayerChoices,
  storedWeight,
  trainedTensors,
  trainedWeights,
  trainingStep
} from "@speedq/adaround"
import type { Parameters } from "@speedq/tensors"
import type { BlockMethod } from "../blocks/BlockMethod.ts"

interface TrainingMethodOptions extends BlockTrainingOptions {
  /** Samples of a mini-batch. */
  readonly batch: number
  readonly grids: Grids
}

/** Tensors of a Linear's size that its training holds: weight, two moments, quantized weight, its gradient and the weight's; the original. */
export const trainingCopies = 7

/** So many mini-batches are made of samples. */
export const batchesOf = (samples: number, batch: number): number => Math.ceil(samples / batch)

/** Mini-batches are in the order of the samples, the same in every epoch, as EfficientQAT has them. */
export const trainingMethod = (options: TrainingMethodOptions, choices: LayerChoices): BlockMethod<Parameters> => ({
  name: "Block-AP",
  iterations: options.iterations,
  batch: options.batch,
  parts: (layer) => trainedTensors(choices.get(layer)!, options.grids),
  initial: (block, random) => initialTraining(block, choices, random, options.grids),
  draw: ({ iteration, random }, samples) => {
    const first = (iteration % batchesOf(samples, options.batch)) * options.batch
    const length = Math.min(options.batch, samples - first)
    return { chosen: Array.from({ length }, (_, at) => first + at), random }
  },
  step: (block, state, batch) => trainingStep(block, choices, state, batch, options),
  weights: (_, { layers }) => trainedWeights(choices, layers),
  stored: (_, layer, parts) => storedWeight(choices.get(layer)!, parts),
  metrics: ({ reconstruction }) => ({ loss: reconstruction })
})
