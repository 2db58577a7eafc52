/** Where a run's events go besides the screen and events.jsonl. */
import { Sinks } from "@speedq/pipeline"
import * as Layer from "effect/Layer"

export interface Records {
  /** Directory for TensorBoard's event files. */
  readonly tensorBoard?: string | undefined
  /** Directory of MLflow's plain files (`mlruns`). */
  readonly mlflow?: string | undefined
  /** File that the lines of the log are appended to. */
  readonly log?: string | undefined
  /** Address of an OpenTelemetry collector, such as `http://localhost:4318`. Nothing is sent anywhere without it. */
  readonly openTelemetry?: string | undefined
}

/** The sinks of the run in `directory`. */
export const recordSinks = ({ tensorBoard, mlflow, log, openTelemetry }: Records, directory: string) =>
  Layer.mergeAll(
    tensorBoard === undefined ? Layer.empty : Sinks.tensorBoard(tensorBoard),
    mlflow === undefined ? Layer.empty : Sinks.mlflow(mlflow, directory),
    log === undefined ? Layer.empty : Sinks.logFile(log),
    openTelemetry === undefined ? Layer.empty : Sinks.openTelemetry(openTelemetry, directory)
  )
