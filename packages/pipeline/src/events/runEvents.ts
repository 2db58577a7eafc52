/** The events that every run has, and those that quantization stages share. */
import * as Schema from "effect/Schema"
import { LayerFact } from "../report/Report.ts"
import { formatBytes, formatCount, formatDuration, formatNumber } from "../text/format.ts"
import { eventKind } from "./EventKind.ts"

/** What steps are where they are something else: one "record" of a check. */
const Unit = Schema.optionalKey(Schema.String)
const Metrics = Schema.Record(Schema.String, Schema.Number)
/** Seconds that stages are expected to take, by place, where that is known. */
const Seconds = Schema.Record(Schema.String, Schema.Number)
const Change = Schema.Struct({ field: Schema.String, before: Schema.String, after: Schema.String })
const listChanges = (changes: ReadonlyArray<typeof Change.Type>) =>
  changes.map(({ field, before, after }) => `${field}: ${before} -> ${after}`).join("; ")

/** `stages` are named as their directories are. */
export const RunStarted = eventKind(
  "RunStarted",
  {
    name: Schema.String,
    stages: Schema.Array(Schema.String),
    continued: Schema.Boolean,
    seconds: Schema.optionalKey(Seconds)
  },
  { line: ({ name, stages, continued }) => `${continued ? "continuing" : "starting"} ${name}: ${stages.join(", ")}` }
)

/** The directory held a run of another recipe; results that still fit are reused, the others are kept aside. */
export const RecipeChanged = eventKind(
  "RecipeChanged",
  { changes: Schema.Array(Change) },
  { warning: true, line: ({ changes }) => `the recipe changed since the last run here: ${listChanges(changes)}` }
)

/** What the run rests on (backend, versions, machine) differs from when it was last continued. */
export const SurroundingsChanged = eventKind(
  "SurroundingsChanged",
  { changes: Schema.Array(Change) },
  {
    warning: true,
    line: ({ changes }) => `not the same surroundings as before, so bits may differ: ${listChanges(changes)}`
  }
)

/** `from` is the step that a saved state was continued at, 0 for a fresh start. What a stage emits until its next start belongs to `key`. */
export const StageStarted = eventKind(
  "StageStarted",
  { key: Schema.String, from: Schema.Int, steps: Schema.Int, unit: Unit },
  {
    line: ({ from, steps, unit = "step" }) => {
      if (steps === 0) return "begins"
      return from === 0 ? formatCount(steps, unit) : `continuing after ${unit} ${from} of ${steps}`
    }
  }
)

export const StageReused = eventKind("StageReused", { key: Schema.String }, { line: () => "finished before, reused" })

/** An earlier result of this place does not fit the recipe any more; `changes` says why, `keptAt` where it is now. */
export const StageSuperseded = eventKind(
  "StageSuperseded",
  { changes: Schema.Array(Change), keptAt: Schema.String },
  {
    warning: true,
    line: ({ changes, keptAt }) => `runs again (${listChanges(changes)}); the old result is in ${keptAt}`
  }
)

/** The data of a stage changed, and what was done stands or goes on with it: what was made under the key `before` has `after` from now on. */
export const DataChanged = eventKind(
  "DataChanged",
  { before: Schema.String, after: Schema.String, detail: Schema.String },
  { warning: true, line: ({ detail }) => `its data changed; ${detail}` }
)

/** What is saved of the stage was computed by another build of the same versions; it is used as it is. */
export const BuildChanged = eventKind(
  "BuildChanged",
  { before: Schema.String, after: Schema.String },
  {
    warning: true,
    line: ({ before, after }) => `made by another build of the same versions (${before}; this is ${after})`
  }
)

export const StepDone = eventKind(
  "StepDone",
  { step: Schema.Int, steps: Schema.Int, metrics: Metrics, unit: Unit },
  {
    line: ({ step, steps, metrics, unit = "step" }) =>
      [`${unit} ${step}/${steps}`, ...formatMetrics(metrics)].join("  "),
    scalars: ({ metrics }) => metrics
  }
)

/**
 * A stage is done with a layer, or with a whole block of layers: what it knows of it, for the map of the layers in the report. Its
 * report says the same as a section `Layers` once it is finished, if it has one.
 */
export const LayerQuantized = eventKind("LayerQuantized", LayerFact.fields, {
  line: ({ layer, quantizer, bits, errorBefore, errorAfter }) => {
    if (errorBefore === undefined || errorAfter === undefined) return undefined
    const how = [quantizer, bits === undefined ? undefined : `${formatNumber(bits)} bits`]
    const error = `error ${formatNumber(errorBefore)} -> ${formatNumber(errorAfter)}`
    return `${layer}: ${[...how, error].filter((word) => word !== undefined).join(", ")}`
  }
})

export const CheckpointSaved = eventKind(
  "CheckpointSaved",
  { step: Schema.Int, bytes: Schema.Int, milliseconds: Schema.Number },
  {
    line: ({ step, bytes, milliseconds }) =>
      `saved step ${step}: ${formatBytes(bytes)} in ${formatDuration(milliseconds)}`
  }
)

/** A saved file failed its check on loading. `fallback` says what is used instead, `keptAt` where the file is now, from the run directory. */
export const CheckpointDamaged = eventKind(
  "CheckpointDamaged",
  { file: Schema.String, detail: Schema.String, fallback: Schema.String, keptAt: Schema.optionalKey(Schema.String) },
  {
    warning: true,
    line: ({ file, detail, fallback, keptAt }) =>
      `${file} is damaged (${detail}); ${fallback}${keptAt === undefined ? "" : `; the damaged file is kept at ${keptAt}`}`
  }
)

/** A large file is read whole, to tell it from what it was. */
export const FileReading = eventKind(
  "FileReading",
  { file: Schema.String, bytes: Schema.Int },
  { line: ({ file, bytes }) => `reading all of ${file} for its digest: ${formatBytes(bytes)}` }
)

/** A sample that could not be used was replaced by another, as the recipe allows. */
export const DataSubstituted = eventKind(
  "DataSubstituted",
  { source: Schema.String, sample: Schema.String, detail: Schema.String, by: Schema.String },
  { warning: true, line: ({ source, sample, detail, by }) => `${source}: ${sample} replaced by ${by}: ${detail}` }
)

export const Warning = eventKind(
  "Warning",
  { message: Schema.String },
  { warning: true, line: ({ message }) => message }
)

export const StageFinished = eventKind(
  "StageFinished",
  { steps: Schema.Int, milliseconds: Schema.Number, bytes: Schema.Int },
  {
    result: true,
    line: ({ bytes, milliseconds }) => `finished in ${formatDuration(milliseconds)}, ${formatBytes(bytes)} kept`
  }
)

/** `steps` is 0 when no stage was at its steps: then there was nothing to save. */
export const Interrupted = eventKind(
  "Interrupted",
  { step: Schema.Int, steps: Schema.Int },
  {
    warning: true,
    line: ({ step, steps }) =>
      `interrupted${steps === 0 ? "" : ` after step ${step} of ${steps}, saved`}; it can be continued`
  }
)

export const RunFinished = eventKind(
  "RunFinished",
  { milliseconds: Schema.Number, report: Schema.String },
  {
    result: true,
    line: ({ milliseconds, report }) => `finished in ${formatDuration(milliseconds)}; report: ${report}`
  }
)

export const RunFailed = eventKind(
  "RunFailed",
  { message: Schema.String },
  { warning: true, line: ({ message }) => message }
)

/** `loss 1.234` and so on, the loss first. */
const formatMetrics = (metrics: typeof Metrics.Type): ReadonlyArray<string> =>
  Object.entries(metrics)
    .sort(([a], [b]) => Number(b === "loss") - Number(a === "loss"))
    .map(([name, value]) => `${name} ${formatNumber(value)}`)
