/**
 * A shard of an optimizer step as a unit of work: what is asked, and what comes back. Tensors are in files of the run's directory;
 * messages carry their names and digests.
 */

import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as Entity from "effect/cluster/Entity"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import { UnitFailed } from "../Errors.ts"
import { Identity } from "../identity/Identity.ts"

/** A file of the exchange, by name: its size, and the digest of its bytes. What is in a database leads to no other folder. */
const ExchangedFile = Schema.Struct({
  file: Schema.String.check(Schema.isPattern(/^[\w-][\w.-]*$/)),
  bytes: Schema.Int,
  sha256: Schema.String
})

/** Micro-batches whose gradients are to be summed. */
export const ShardRequest = Schema.Struct({
  /** Directory of the run, which all see under one path; the stage in it, and its key. */
  run: Schema.String,
  place: Schema.String,
  key: Schema.String,
  identity: Identity,
  step: Schema.Int,
  shard: Schema.Int,
  /** Raised where an earlier answer is there and its file is not. */
  attempt: Schema.Int,
  indices: Schema.Array(Schema.Int),
  /** Micro-batches of the whole step. */
  microBatches: Schema.Int,
  /** What was measured before training. */
  measured: Schema.Array(Schema.Number),
  parameters: ExchangedFile
})
export type ShardRequest = typeof ShardRequest.Type

/** Their sums, who computed them, and how long that took. */
export const ShardReply = Schema.Struct({
  sums: ExchangedFile,
  runner: Schema.String,
  milliseconds: Schema.Number
})
export type ShardReply = typeof ShardReply.Type

/** The same request has the same name, whoever asks and however often: it is computed once, and its answer is kept. */
const nameOf = ({ key, step, shard, attempt, parameters }: ShardRequest): string =>
  `${key}/${step}/${shard}/${attempt}/${parameters.sha256}`

/** An entity is a place for units: `GROUP/NUMBER`. Its group is that of the runners that may compute them. */
export const ShardUnit = Entity.make("speedq/Shard", [
  Rpc.make("Compute", {
    payload: ShardRequest.fields,
    success: ShardReply,
    error: UnitFailed,
    primaryKey: nameOf
  }).annotate(ClusterSchema.Persisted, true)
]).annotate(ClusterSchema.ShardGroup, (id: string) => id.slice(0, id.indexOf("/")))
