/**
 * Whether decoder layers keep their inner values for the backward pass, or compute them again: decided for every micro-batch, by
 * what it would keep and what memory is left. The numbers are the same bits either way.
 */

import { type MemoryBudget, processBytes } from "@speedq/pipeline"
import { type Backend, type Parameters, sizeOf } from "@speedq/tensors"
import type { ModelConfig } from "@speedq/vlm-model"
import type { MicroBatch } from "../data/SampleLoader.ts"
import { keptBytes, keptTowerBytes } from "../planning/cost.ts"
import type { OptimizationConfig } from "./TrainingConfig.ts"
import type { VisionFeatures } from "./VisionFeatures.ts"

interface RematerializationOptions {
  readonly backend: Backend
  readonly config: ModelConfig
  readonly optimization: Pick<OptimizationConfig, "rematerialize">
  /** Whether the decoder's Linears are fake-quantized, so that there are copies of one layer's. */
  readonly fakeQuantized: boolean
  readonly trainsTower?: boolean
  /** What this process, or the tensors on a device, may have. */
  readonly budget: MemoryBudget
  /** Features that are kept beside the tensors. */
  readonly features: readonly (VisionFeatures | undefined)[]
}

/** Decides for one micro-batch; `without` are the parameters whose gradients are still to be allocated. */
export type Rematerialization = (
  batch: Pick<MicroBatch, "size" | "length" | "tileKeys">,
  without: Parameters
) => boolean

const bytesOf = (parameters: Parameters): number =>
  Object.values(parameters).reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0)

export const decideRematerialization = (options: RematerializationOptions): Rematerialization => {
  const { backend, config, optimization, fakeQuantized, trainsTower = false, budget, features } = options
  const distinct = [...new Set(features)]
  return ({ size, length, tileKeys }, without) => {
    if (optimization.rematerialize !== "auto") return optimization.rematerialize
    const kept = keptBytes(config, { tokens: size * length, fakeQuantized, rematerialize: false })
    const tower = trainsTower ? keptTowerBytes(config, tileKeys.length) : 0
    const tensors = backend.usage().bytes + bytesOf(without) + kept + tower
    // Memory that is not known is not counted on: the numbers are the same.
    if (budget.bytes === undefined) return true
    if (budget.apart) return tensors > budget.bytes
    return tensors + distinct.reduce((sum, each) => sum + (each?.bytes() ?? 0), processBytes) > budget.bytes
  }
}
