/**
 * The numbers of all events in the plain files that MLflow keeps (its file store): `EXPERIMENT/RUN/metrics/STAGE/NAME` has a line
 * `milliseconds value step` for each. A run directory is one run there, also when it is continued.
 */
import { createHash } from "node:crypto"
import { AtomicFile } from "@speedq/formats"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { madeDirectory, whileDoing } from "../../files/storage.ts"
import { type Entry, isEntryOf, type Sink } from "../Events.ts"
import { Interrupted, RunFailed, RunFinished, RunStarted, StepDone } from "../runEvents.ts"

/** The experiment that all runs belong to. MLflow counts its own from 0 or draws 18 digits. */
const experiment = { id: "733718050000000001", name: "speedq" }

/** What MLflow calls how a run is. */
const statuses = { running: 1, finished: 3, failed: 4, killed: 5 } as const
const statusAfter = (entry: Entry): number | undefined => {
  if (isEntryOf(RunFinished, entry)) return statuses.finished
  if (isEntryOf(RunFailed, entry)) return statuses.failed
  return isEntryOf(Interrupted, entry) ? statuses.killed : undefined
}

/** A flat YAML document: each value of JSON is one of YAML. */
const yaml = (fields: { readonly [name: string]: string | number | null | ReadonlyArray<never> }): Uint8Array =>
  new TextEncoder().encode(
    Object.entries(fields)
      .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
      .join("")
  )

/** MLflow takes letters, digits, `_-. /` in the name of a metric. */
const metricName = (name: string): string => name.replaceAll(/[^\w\-. /]/g, "_")

/** Appends to the run of `runDirectory` in the store below `directory`, which is made where it is not there. */
export const mlflowSink = Effect.fn("mlflowSink")(
  function* (directory: string, runDirectory: string) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const place = path.resolve(runDirectory)
    const id = createHash("sha256").update(place).digest("hex").slice(0, 32)
    const root = path.join(path.resolve(directory), experiment.id)
    const run = path.join(root, id)
    const startedAt = yield* Clock.currentTimeMillis
    for (const name of ["metrics", "params", "tags", "artifacts"]) yield* madeDirectory(path.join(run, name))
    const experimentFile = path.join(root, "meta.yaml")
    if (!(yield* fs.exists(experimentFile))) {
      const fields = {
        ...{ artifact_location: root, experiment_id: experiment.id, name: experiment.name },
        ...{ lifecycle_stage: "active", creation_time: startedAt, last_update_time: startedAt }
      }
      yield* AtomicFile.writeWhole(experimentFile, yaml(fields))
    }

    let name = path.basename(place)
    let status: number = statuses.running
    let endedAt: number | null = null
    let written = ""
    const pending = new Map<string, string>()
    const lastStep = new Map<string, number>()

    const writeMeta = Effect.suspend(() => {
      const fields = {
        ...{ artifact_uri: path.join(run, "artifacts"), end_time: endedAt, entry_point_name: "" },
        ...{ experiment_id: experiment.id, lifecycle_stage: "active", run_id: id, run_name: name, run_uuid: id },
        ...{ source_name: "speedq", source_type: 4, source_version: "", start_time: startedAt, status },
        ...{ tags: [], user_id: "" }
      }
      const state = JSON.stringify(fields)
      if (state === written) return Effect.void
      written = state
      return AtomicFile.writeWhole(path.join(run, "meta.yaml"), yaml(fields))
    })
    const append = Effect.forEach(
      pending,
      Effect.fnUntraced(function* ([file, lines]) {
        yield* madeDirectory(path.dirname(file))
        yield* fs.writeFileString(file, lines, { flag: "a" })
        pending.delete(file)
      }),
      { discard: true }
    )
    const flush = Effect.suspend(() => Effect.andThen(append, writeMeta))
    const sink: Sink = {
      write: (entry) => {
        const { at, stage = "run" } = entry
        if (isEntryOf(RunStarted, entry)) name = entry.event.name
        // Events without a step of their own are at the latest step of their stage.
        if (isEntryOf(StepDone, entry)) lastStep.set(stage, entry.event.step)
        const after = statusAfter(entry)
        if (after !== undefined) [status, endedAt] = [after, at]
        for (const [scalar, value] of Object.entries(entry.scalars())) {
          const file = path.join(run, "metrics", ...metricName(`${stage}/${scalar}`).split("/"))
          pending.set(file, `${pending.get(file) ?? ""}${at} ${value} ${lastStep.get(stage) ?? 0}\n`)
        }
      },
      flush: flush.pipe(whileDoing("write MLflow's files", run))
    }
    yield* flush
    return sink
  },
  (self, directory) => whileDoing("open MLflow's files", directory)(self)
)
