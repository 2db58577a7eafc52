/**
 * What an export format is: a name, options, and how it writes a model. Ours and those from outside are values of this one
 * interface (a new format is one file and one line in exporter/registry.ts, or an extension of the run).
 */
import type { AtomicFile } from "@speedq/formats"
import type { ModelConfig } from "@speedq/vlm-model"
import type * as Effect from "effect/Effect"
import type * as Schema from "effect/Schema"
import type { ExportNotWritten } from "../Errors.ts"
import type { DeployedModel } from "../model/deployedModel.ts"
import type { SourceModel } from "../model/SourceModel.ts"
import type { Difference } from "./Difference.ts"
import type { Holding, QuantizedLayer } from "./Holding.ts"

/** What a plan knows of a model before any work. */
export interface ModelFacts {
  readonly parameters: number
  /** Bytes of the checkpoint that the run starts from. */
  readonly checkpointBytes: number
}

/** What a format must know to refuse a model before any work. */
export interface ModelKind {
  readonly config: ModelConfig
  /** Where it lies, with its tokenizer; it may not be there yet. */
  readonly directory: string
  /** Layers that will be quantized. */
  readonly layers: readonly QuantizedLayer[]
}

/** Why a format cannot have a model, and what to do about it. */
export interface Refusal {
  readonly reason: string
  readonly fix: string
}

/** A model to be written. */
export interface ModelToExport {
  /** The model that the run started from: names, shapes, tokenizer, config. */
  readonly source: SourceModel
  /** Its weights as they are shipped. */
  readonly deployed: DeployedModel
  /**
   * A directory that exists and is empty. Everything that is written goes below it, by AtomicFile or Safetensors, which flush it and
   * compute its digest; all of it takes its place together when the format has written everything.
   */
  readonly directory: string
}

/** What a format wrote. */
export interface Written extends Difference {
  /** All files, as their writers gave them; `file` is the path from the directory. */
  readonly files: readonly AtomicFile.Written[]
  /** Bytes of the weights themselves: codes, scales and numbers, without a file's names and padding. */
  readonly bytes: number
  /** Layers that this format cannot hold as they are quantized, and that it holds dequantized. */
  readonly layersFallenBack: readonly string[]
}

export interface Exporter<C extends object = object> {
  /** What recipes and `--format` call it. */
  readonly id: string
  /** Raised when the same model is written differently. */
  readonly version: number
  /** One sentence for help and plans. */
  readonly description: string
  /** Options; the encoded side is JSON. */
  readonly Config: Schema.Codec<C, unknown>
  /** Name of the directory below `model/` of a run; configurations that may stand beside each other differ. */
  directoryName(config: C): string
  /** What has loaded this format and computed the same, outside of its own writer; empty where nothing has. */
  readonly checkedBy: readonly string[]
  /** Whether packed weights are written as they are, without unpacking them: what a forecast of time wants to know. */
  readonly keepsCodes?: boolean
  /** Why the format cannot have a model; undefined where it can. */
  refusal?(config: C, model: ModelKind): Refusal | undefined
  /** How it holds the quantized layers of a model, in their order; plans and tables are silent about a format that does not say. */
  holds?(config: C, layers: readonly QuantizedLayer[]): readonly Holding[]
  /** At most so many bytes are written. */
  bytes(config: C, model: ModelFacts): number
  /** Writes the model. The caller owns model and directory. */
  write(config: C, model: ModelToExport): Effect.Effect<Written, ExportNotWritten>
}

/** An exporter with its options. */
export interface ExportChoice<C extends object = object> {
  readonly exporter: Exporter<C>
  readonly config: C
}
