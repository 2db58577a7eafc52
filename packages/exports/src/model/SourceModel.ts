/** The full-precision model that a run starts from: its directory, and its weights in a backend's memory. */
import type { Parameters } from "@speedq/tensors"
import type { ModelDirectory } from "@speedq/vlm-model"

export interface SourceModel {
  readonly directory: ModelDirectory
  /** Weights as stored: matrices may be in 16 bits. Frozen; stages make their own copies of what they train. */
  readonly weights: Parameters
  /** Under which names the checkpoint stores each parameter: its own, or those of the transformers-native layout. */
  readonly stored: ReadonlyMap<string, readonly string[]>
}
