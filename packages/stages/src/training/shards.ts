/**
 * The shards of an optimizer step: parts of its micro-batches whose gradients are sums of their own. They are added in order, wherever
 * each was computed, so that one process and many give the same bits.
 */
import type { FileRecord } from "@speedq/pipeline"
import type { Parameters } from "@speedq/tensors"
import type * as Effect from "effect/Effect"
import type { ParameterFormat } from "./stepParameters.ts"

/** The micro-batches of each shard: at most `shards` parts of nearly equal length, in order. */
export const shardsOf = (indices: readonly number[], shards: number): readonly (readonly number[])[] => {
  const parts = Math.min(shards, indices.length)
  const start = (part: number) => Math.floor((part * indices.length) / parts)
  return Array.from({ length: parts }, (_, part) => indices.slice(start(part), start(part + 1)))
}

/** What gradients of a step are computed at. */
export interface HandedParameters {
  /** What they travel as, and are rounded to. */
  readonly format: ParameterFormat
  readonly parameters: Parameters
}

/** What every shard of a step is computed from. */
export interface ShardedStep extends HandedParameters {
  /** What was measured before training. */
  readonly measured: readonly number[]
  /** Micro-batches of the whole step: each counts with its share. */
  readonly microBatches: number
}

/** A shard that another process asks for: from parameters in a file to sums in a file. */
export interface ShardOrder {
  /** A file by its record, and its path, which is asked for where the parameters are not those of the shard before. */
  readonly parameters: { readonly record: FileRecord; readonly path: Effect.Effect<string, Error> }
  /** Where the sums are to be. */
  readonly sums: string
  readonly measured: readonly number[]
  readonly microBatches: number
  /** Micro-batches of the shard. */
  readonly indices: readonly number[]
}

/** Computes a shard and gives size and digest of its sums' file. Fails with what a step of the stage fails with. */
export type ComputeShard = (order: ShardOrder) => Effect.Effect<Omit<FileRecord, "file">, Error>
