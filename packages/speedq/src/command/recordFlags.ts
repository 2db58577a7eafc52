/** Flags that say where a run's events go besides the screen and events.jsonl. */

import type { Records } from "@speedq/pipeline"
import * as Flag from "effect/cli/Flag"
import * as Option from "effect/Option"
import { pathFlag } from "./pathParam.ts"

export const recordFlags = {
  tensorboard: pathFlag("tensorboard", "DIR", "directory").pipe(
    Flag.withDescription("also write TensorBoard event files there"),
    Flag.optional
  ),
  mlflow: pathFlag("mlflow", "DIR", "directory").pipe(
    Flag.withDescription("also write the numbers of its steps there, in MLflow's plain files"),
    Flag.optional
  ),
  log: pathFlag("log", "FILE", "file").pipe(
    Flag.withDescription("also append what is told to a file, each line with its time"),
    Flag.optional
  ),
  otlp: Flag.String("otlp").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("also send events to an OpenTelemetry collector, such as http://localhost:4318"),
    Flag.filter(
      (url) => /^https?:/.test(url) && URL.canParse(url),
      () => "an address that begins with http:// or https://"
    ),
    Flag.optional
  )
}

type Given = { readonly [name in keyof typeof recordFlags]: Option.Option<string> }

/** `path` says where a path that was given is. */
export const recordsOf = ({ tensorboard, mlflow, log, otlp }: Given, path: (given: string) => string): Records => ({
  tensorBoard: Option.getOrUndefined(Option.map(tensorboard, path)),
  mlflow: Option.getOrUndefined(Option.map(mlflow, path)),
  log: Option.getOrUndefined(Option.map(log, path)),
  openTelemetry: Option.getOrUndefined(otlp)
})
