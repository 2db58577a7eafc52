/** What a training stage's steps are made of: its samples, how a micro-batch is prepared, and what becomes of the end. */
import type { Stage } from "@speedq/pipeline"
import type { Parameters } from "@speedq/tensors"
import type * as Effect from "effect/Effect"
import type { MicroBatch } from "../data/SampleLoader.ts"
import type { SampleSource } from "../data/SampleSource.ts"
import type { MicroBatchLoss } from "./Learner.ts"
import type { Rematerialization } from "./Rematerialization.ts"
import type { DataConfig, OptimizationConfig } from "./TrainingConfig.ts"
import type { TrainingOptions } from "./TrainingMethod.ts"

/** How parameters are updated, those of learned grids too. */
export type OptimizationOptions = OptimizationConfig & Pick<TrainingOptions, "gridRate">

/** A micro-batch with what does not depend on the trained parameters computed; `release` gives it back. */
interface PreparedBatch {
  readonly lossOf: MicroBatchLoss
  readonly release: () => void
}

/** A number of every micro-batch that is known before training, one a step: the teacher's confidence. */
export interface Measurement {
  readonly batches: number
  /** Undefined for a batch that has none. */
  readonly of: (batch: MicroBatch, index: number) => Promise<number | undefined>
}

/** What a micro-batch is prepared for. */
interface StepContext {
  readonly measured: readonly number[]
  /** Computes decoder layers again in the backward pass. */
  readonly rematerialize: boolean
}

export interface Training<Out, E, R> {
  readonly data: DataConfig
  readonly source: SampleSource
  /** The stage's own. */
  readonly directory: string
  readonly optimization: OptimizationOptions
  /** New tensors that training starts from. */
  readonly initial: () => Parameters
  readonly measurement?: Measurement | undefined
  readonly rematerialization: Rematerialization
  /** Whether it knows what memory there is; else it recomputes. */
  readonly roomIsKnown: boolean
  /** Called before every step that trains: there are parameters then, and what only their start needed may go. */
  readonly begins?: () => void
  readonly prepare: (batch: MicroBatch, index: number, context: StepContext) => Promise<PreparedBatch>
  readonly finish: (parameters: Parameters, measured: readonly number[]) => Effect.Effect<Stage.Outcome<Out>, E, R>
}
