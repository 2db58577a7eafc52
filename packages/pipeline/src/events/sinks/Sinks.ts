/** Sinks as layers on top of a run's events. The log file events.jsonl needs none of them: every run has it. */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Events, type Sink } from "../Events.ts"
import { jsonLinesSink } from "./jsonLines.ts"
import { logFileSink } from "./logFile.ts"
import { mlflowSink } from "./mlflow.ts"
import { type Output, standardError } from "./Output.ts"
import { sendingSink } from "./openTelemetry.ts"
import { plainLinesSink } from "./plainLines.ts"
import { progressBarsSink } from "./progressBars.ts"
import { tensorBoardSink } from "./tensorBoard.ts"

const listen = (sink: Sink) => Effect.flatMap(Events, (events) => events.subscribe(sink))

/** Progress bars on a terminal, plain lines otherwise. */
export const terminal = (output: Output = standardError): Layer.Layer<never, never, Events> =>
  Layer.effectDiscard(
    Effect.suspend(() => listen(output.isTerminal ? progressBarsSink(output) : plainLinesSink(output)))
  )

/** Plain lines wherever they go. */
export const plainLines = (output: Output = standardError): Layer.Layer<never, never, Events> =>
  Layer.effectDiscard(Effect.suspend(() => listen(plainLinesSink(output))))

/** TensorBoard event files in `directory`. */
export const tensorBoard = (directory: string) =>
  Layer.effectDiscard(Effect.flatMap(tensorBoardSink(directory), listen))

/** One event a line, in JSON, at the end of a file: for what is no run, which has its own. */
export const jsonLines = (file: string) => Layer.effectDiscard(Effect.flatMap(jsonLinesSink(file), listen))

/** Lines of text at the end of a file. */
export const logFile = (file: string) => Layer.effectDiscard(Effect.flatMap(logFileSink(file), listen))

/** The plain files of MLflow below `directory`, of the run in `runDirectory`. */
export const mlflow = (directory: string, runDirectory: string) =>
  Layer.effectDiscard(Effect.flatMap(mlflowSink(directory, runDirectory), listen))

/** An OpenTelemetry collector at `endpoint`, the one sink that opens a connection; `run` says whose events they are. */
export const openTelemetry = (endpoint: string, run: string) =>
  Layer.effectDiscard(Effect.flatMap(sendingSink(endpoint, run), listen))

/** Shows nothing. */
export const silent: Layer.Layer<never, never, Events> = Layer.empty
