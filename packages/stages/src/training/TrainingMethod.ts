/** What a training stage is asked with, what it starts from, and what one of them does otherwise than another. */
import type { VisionTower } from "@speedq/exports"
import type { RuleSpec } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import type { Tower } from "@speedq/vlm-model"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ComputeFailed } from "../compute/computing.ts"
import type { EmbeddingConfig, PlannedLayers } from "../model/plannedLayers.ts"
import type { LossConfig, LossSettings } from "./LossConfig.ts"
import type { DataConfig, OptimizationConfig } from "./TrainingConfig.ts"

/** Options of stages that train. Not every stage has quantizers of Linears, or losses that can be chosen. */
export interface TrainingOptions extends OptimizationConfig {
  readonly data: DataConfig
  readonly embeddings: typeof EmbeddingConfig.Type
  readonly quantizers?: readonly RuleSpec[]
  readonly loss?: LossConfig
}

/** What earlier stages may have made: without a tower, a projector or ranges, the original weights are used as they are. */
export interface TrainingInput {
  readonly quantizedVision?: VisionTower
  readonly projector?: Parameters
  readonly clipping?: Parameters
}

/** What the rules of a stage decide. */
export interface Quantized {
  readonly linears: PlannedLayers
  readonly embeddings: PlannedLayers
}

export interface TrainingMethod<Options extends TrainingOptions, Out> {
  /** Towers whose Linears the student sees fake-quantized, by the option `quantizers`. A vision tower among them is trained. */
  readonly fakeQuantizes: readonly Tower[]
  /** Which parameters are trained, by name. */
  readonly trains: (name: string, quantized: Quantized) => boolean
  readonly losses: (options: Options) => LossSettings
  /** The artefacts, out of the trained parameters; what is made for them belongs to the stage's scope. */
  readonly artefacts: (trained: Parameters, quantized: Quantized) => Effect.Effect<Out, ComputeFailed, Scope.Scope>
}
