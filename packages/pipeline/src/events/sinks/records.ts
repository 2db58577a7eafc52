/** Where a run's events go besides the screen and events.jsonl. */
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { logFile, mlflow, openTelemetry, tensorBoard } from "./Sinks.ts"

export const Records = Schema.Struct({
  /** Directory for TensorBoard's event files. */
  tensorBoard: Schema.optionalKey(Schema.UndefinedOr(Schema.String)),
  /** Directory of MLflow's plain files (`mlruns`). */
  mlflow: Schema.optionalKey(Schema.UndefinedOr(Schema.String)),
  /** File that the lines of the log are appended to. */
  log: Schema.optionalKey(Schema.UndefinedOr(Schema.String)),
  /** Address of an OpenTelemetry collector, such as `http://localhost:4318`. Nothing is sent anywhere without it. */
  openTelemetry: Schema.optionalKey(Schema.UndefinedOr(Schema.String))
})
export interface Records extends Schema.Schema.Type<typeof Records> {}

/** The sinks of the run in `directory`. */
export const recordSinks = (records: Records, directory: string) =>
  Layer.mergeAll(
    records.tensorBoard === undefined ? Layer.empty : tensorBoard(records.tensorBoard),
    records.mlflow === undefined ? Layer.empty : mlflow(records.mlflow, directory),
    records.log === undefined ? Layer.empty : logFile(records.log),
    records.openTelemetry === undefined ? Layer.empty : openTelemetry(records.openTelemetry, directory)
  )
