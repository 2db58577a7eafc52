/** A unit with its files on this machine: what the process that computes for a runner is asked. */
import * as Schema from "effect/Schema"
import { UnitRequest } from "../units/UnitOfWork.ts"

export const UnitOrder = Schema.Struct({
  request: UnitRequest,
  /** The run's directory, or what of it was copied here. */
  directory: Schema.String,
  /** Folder of files that the unit writes. */
  written: Schema.String,
  /** Paths of those that were fetched, by their digests; undefined where they are in the same folder by their names. */
  fetched: Schema.optionalKey(Schema.Record(Schema.String, Schema.String))
})
export type UnitOrder = typeof UnitOrder.Type
