/** What a training stage is asked with, what it starts from, and what one of them does otherwise than another. */
import type { LanguageModel, VisionTower } from "@speedq/exports"
import type { EmbeddingReader, PackedWeights, QuantizerChoice, RuleSpec } from "@speedq/quantizers"
import type { Parameters } from "@speedq/tensors"
import type { ModelConfig, Tower } from "@speedq/vlm-model"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { ComputeFailed } from "../compute/computing.ts"
import type { Choices, EmbeddingConfig, PlannedLayers } from "../model/plannedLayers.ts"
import type { LossConfig, LossSettings } from "./LossConfig.ts"
import type { DataConfig, OptimizationConfig } from "./TrainingConfig.ts"

/** Options of stages that train. Not every stage has quantizers of Linears, or losses that can be chosen. */
export interface TrainingOptions extends OptimizationConfig {
  readonly data: DataConfig
  readonly embeddings: typeof EmbeddingConfig.Type
  readonly quantizers?: readonly RuleSpec[]
  readonly loss?: LossConfig
  readonly start?: "model" | "quantized"
  /** Not every stage has Linears that learn under fake quantization. */
  readonly grids?: "follow" | "learned"
  readonly gridRate?: number
  /** Not every stage trains the decoder, of which the teacher's copy can be elsewhere. */
  readonly teacherWeights?: "memory" | "file"
  /** Not every stage leaves open which parts are trained. */
  readonly train?: { readonly projector: boolean; readonly head: boolean; readonly visionLayers?: number }
}

/** What earlier stages may have made: without a tower, a projector or ranges, the original weights are used as they are. */
export interface TrainingInput {
  readonly allocation?: Choices
  readonly quantizedVision?: VisionTower
  readonly projector?: Parameters
  readonly clipping?: Parameters
  /** A language model that training starts from. */
  readonly quantizedLanguage?: LanguageModel
}

/** What the rules of a stage decide. */
export interface Quantized {
  readonly linears: PlannedLayers
  readonly embeddings: PlannedLayers
}

interface TrainingResult {
  /** By name; weights whose grids were learned are not among them. */
  readonly trained: Parameters
  /** Weights whose grids were learned, by layer; they belong to the stage's scope. */
  readonly packed: PackedWeights
  /** The projector, trained or as it was. */
  readonly projector: Parameters
  readonly quantized: Quantized
  /** What each weight is quantized with that the result leaves to be quantized: Linears, embedding and head. */
  readonly choices: ReadonlyMap<string, QuantizerChoice>
}

export interface TrainingMethod<Options extends TrainingOptions, Out> {
  /** Towers whose Linears the student sees fake-quantized, by the option `quantizers`. A vision tower among them is trained. */
  readonly fakeQuantizes: (options: Options) => readonly Tower[]
  /** Which parameters are trained, by name. */
  readonly trains: (name: string, quantized: Quantized, options: Options, config: ModelConfig) => boolean
  readonly losses: (options: Options) => LossSettings
  /** As whom the student sees embedding and head. */
  readonly seesEmbeddings: Exclude<EmbeddingReader, "result">
  /** The artefacts; what is made for them belongs to the stage's scope. */
  readonly artefacts: (result: TrainingResult) => Effect.Effect<Out, ComputeFailed, Scope.Scope>
}
