/**
 * A unit of work as a message: what is asked, and what comes back, in JSON. Tensors are in files; messages carry their names and
 * digests.
 */
import { createHash } from "node:crypto"
import * as ClusterSchema from "effect/cluster/ClusterSchema"
import * as Entity from "effect/cluster/Entity"
import * as Rpc from "effect/rpc/Rpc"
import * as Schema from "effect/Schema"
import { UnitFailed } from "../Errors.ts"
import { Identity } from "../identity/Identity.ts"

/** A file's name is put together of these: what is in a database leads to no other folder. */
const FileName = Schema.String.check(Schema.isPattern(/^[\w-][\w.-]*$/))

/** SHA-256 of a file's bytes. It becomes a part of file names. */
const Sha256 = Schema.String.check(Schema.isPattern(/^[0-9a-f]{64}$/))

const Digested = Schema.Struct({ bytes: Schema.Int, sha256: Sha256 })
const ExchangedFile = Schema.Struct({ file: FileName, ...Digested.fields })

/**
 * Where a runner gets files that does not see the run's directory. Without a token here it is started with that of the run; `list` is the
 * list of those that it needs of the run's directory.
 */
const Source = Schema.Struct({
  url: Schema.String.check(Schema.isPattern(/^http:\/\/[\w.:[\]-]+$/)),
  token: Schema.optionalKey(Schema.String),
  list: Digested
})
export type Source = typeof Source.Type

export const UnitRequest = Schema.Struct({
  /** Directory of the run or ablation, which all see under one path where there is no source. */
  run: Schema.String,
  /** The stage in it, and its key; null where the unit is of no stage. */
  stage: Schema.NullOr(Schema.Struct({ place: Schema.String, key: Schema.String })),
  identity: Identity,
  /** Whether a runner of the same build may compute it whose numbers have other bits. */
  isLoose: Schema.Boolean,
  kind: Schema.String,
  /** Begins the names of the batch's files. */
  batch: FileName,
  /** Tells it from others of the batch. */
  name: Schema.String,
  /** In words. */
  title: Schema.String,
  /** Raised where an earlier answer is there and what it names is not. */
  attempt: Schema.Int,
  input: Schema.Json,
  /** Files that the run has written for the batch. */
  files: Schema.Array(ExchangedFile),
  source: Schema.optionalKey(Source)
})
export type UnitRequest = typeof UnitRequest.Type

/** What it came to, who computed it, and how long that took. */
export const UnitReply = Schema.Struct({
  output: Schema.Json,
  /** Files that the unit has written. */
  files: Schema.Array(ExchangedFile),
  runner: Schema.String,
  backend: Schema.String,
  milliseconds: Schema.Number
})
export type UnitReply = typeof UnitReply.Type

/** The same request has the same name, whoever asks and however often: it is computed once, and its answer is kept. */
const nameOf = ({ stage, batch, name, attempt, input }: UnitRequest): string => {
  const digest = createHash("sha256").update(JSON.stringify(input)).digest("hex")
  return `${stage?.key ?? ""}/${batch}/${name}/${attempt}/${digest}`
}

/** An entity is a place for units: `GROUP/...`. Its group is that of the runners that may compute them. */
export const UnitOfWork = Entity.make("speedq/Unit", [
  Rpc.make("Compute", {
    payload: UnitRequest.fields,
    success: UnitReply,
    error: UnitFailed,
    primaryKey: nameOf
  }).annotate(ClusterSchema.Persisted, true)
]).annotate(ClusterSchema.ShardGroup, (id: string) => id.slice(0, id.indexOf("/")))
