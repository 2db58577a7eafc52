/**
 * A run in code: a recipe in a directory, with everything that it needs around it.
 *
 * `start` does the run, `events` is the same run seen as a stream of what happens. Both save when their fiber is interrupted, and
 * both continue what the directory holds.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import {
  type Entry,
  Events,
  emit,
  FindsTimes,
  Recipe,
  type Records,
  RunDirectory,
  RunEvents,
  type RunStatus,
  recordSinks,
  Sinks,
  StageArithmetic,
  Surroundings,
  status as statusOf
} from "@speedq/pipeline"
import {
  Compute,
  Evaluate,
  Extensions,
  type Plugin,
  pluginSurroundings,
  SampleWorkers,
  withExtensions
} from "@speedq/stages"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import { computeFor } from "./computeFor.ts"

/** Where progress is shown: bars on a terminal and lines elsewhere, lines always, or nowhere. */
export type Progress = "terminal" | "lines" | "silent"

export interface RunSettings extends Records {
  /** Directory of the run. What it holds of the same recipe is continued; it is made where it does not exist. */
  readonly directory: string
  /**
   * What computes: "auto" (the default: a GPU where one answers through WebGPU, else the processor), "native", "native:none",
   * "gpujs:webgpu", "reference". What was asked for is what runs, or the run fails.
   */
  readonly backend?: BackendName
  /**
   * Where runners meet that compute shards of its training steps (`shards` of a stage) and questions of its evaluations, to the same bits:
   * a directory for processes of one host, or `postgres://user:password@host/database`. `speedq worker --cluster` is one.
   */
  readonly cluster?: string | undefined
  /** Whether runners on other backends compute questions of evaluations, too, which may then have other answers. Default false. */
  readonly otherBackends?: boolean
  /**
   * Given where runners get files from this process over HTTP, and need not see the directory: `listen` is `HOST:PORT`, a free port of
   * loopback unless it is given. Beyond loopback the environment of the run and of its runners must have SPEEDQ_TOKEN.
   */
  readonly http?: { readonly listen?: string | undefined } | undefined
  /** Begins anew: what an earlier run left in the directory is removed. */
  readonly fresh?: boolean
  /** Default "terminal". `events.jsonl` in the directory is always written. */
  readonly progress?: Progress
  /** Quantizers, losses, export formats, benchmarks and stages of your own that the recipe names. Its `name` is for messages. */
  readonly extensions?: Plugin
  /** Called for every event, at once; it must be quick. */
  readonly onEvent?: (entry: Entry) => void
}

const progressSink = (progress: Progress) =>
  progress === "silent" ? Sinks.silent : progress === "lines" ? Sinks.plainLines() : Sinks.terminal()

const listener = (write: (entry: Entry) => void) =>
  Layer.effectDiscard(Effect.flatMap(Events, (events) => events.subscribe({ write, flush: Effect.void })))

/** What multiplies in the arithmetic that some of a recipe's stages ask for, for the run's record; nothing where all are in f32. */
const bfloat16Of = Effect.fnUntraced(function* ({ settings }: Recipe.AnyRecipe) {
  const { meaningOf } = yield* StageArithmetic
  const chosen = typeof settings.arithmetic === "object" ? Object.values(settings.arithmetic) : [settings.arithmetic]
  const wanted = chosen.find((choice) => choice !== undefined && choice !== "f32")
  if (wanted === undefined) return {}
  const { arithmetic, detail = "" } = yield* meaningOf(wanted)
  return { arithmetic: `${arithmetic}: ${detail}` }
})

/** Whether there is anything that runners could compute. */
const isShared = ({ stages }: Recipe.AnyRecipe): boolean =>
  stages.some(
    ({ name, config }) =>
      // Of shards 1, which shares nothing, is not written.
      name === Evaluate.name || (typeof config === "object" && config !== null && "shards" in config)
  )

/**
 * Runs a recipe to its end, or continues it, and gives what its last stage gives. Interrupting the fiber finishes the step, saves,
 * and ends.
 *
 * @example
 * const { exported } = await Effect.runPromise(Run.start(recipe, { directory: "runs/mine" }))
 */
export const start = Effect.fn("Run.start")(function* <A, L, E, R>(
  recipe: Recipe.Recipe<A, L, E, R>,
  { directory, backend = "auto", fresh = false, progress = "terminal", ...settings }: RunSettings
) {
  const { extensions = {}, onEvent, cluster, otherBackends = false, http, ...records } = settings
  const sinks = Layer.mergeAll(
    progressSink(progress),
    recordSinks(records, directory),
    onEvent === undefined ? Layer.empty : listener(onEvent)
  )
  return yield* Effect.gen(function* () {
    const { backend } = yield* Compute
    const products = yield* bfloat16Of(recipe)
    const own = { backend: backend.name, ...products, ...pluginSurroundings(yield* Extensions) }
    const surroundings = { ...(yield* Surroundings), ...own }
    const run = Recipe.run(recipe).pipe(Effect.provideService(Surroundings, surroundings))
    if (cluster === undefined) return yield* run
    if (!isShared(recipe)) {
      const message =
        "no stage of the recipe has shards and none evaluates: runners of the cluster compute nothing; set for example qat.shards"
      yield* emit(RunEvents.Warning, { message })
    }
    // Loaded for those who have one.
    const { coordinating } = yield* Effect.promise(() => import("@speedq/cluster"))
    return yield* coordinating({ cluster, run: directory, otherBackends, http })(run)
  }).pipe(
    Effect.scoped,
    // Whoever sees progress is told how long it takes.
    Effect.provideService(FindsTimes, (yield* FindsTimes) ?? progress !== "silent"),
    Effect.provide(sinks),
    Effect.provide(
      Layer.mergeAll(RunDirectory.layer(directory, { fresh }), SampleWorkers.layer(), computeFor(recipe, backend))
    ),
    Effect.provide(withExtensions(extensions)),
    Effect.provide(NodeServices.layer)
  )
})

/**
 * A run as the stream of its events: running the stream runs the recipe, and the stream ends, or fails, as the run does. An
 * interrupted stream interrupts the run, which saves.
 *
 * @example
 * Run.events(recipe, { directory: "runs/mine" }).pipe(Stream.runForEach((entry) => Effect.log(entry.line())))
 */
export const events = <A, L, E, R>(recipe: Recipe.Recipe<A, L, E, R>, settings: RunSettings) => {
  type Running = ReturnType<typeof start<A, L, E, R>>
  return Stream.callback<Entry, Effect.Error<Running>, Effect.Services<Running>>((queue) => {
    const onEvent = (entry: Entry) => {
      settings.onEvent?.(entry)
      Queue.offerUnsafe(queue, entry)
    }
    return start(recipe, { progress: "silent", ...settings, onEvent }).pipe(
      Effect.matchCauseEffect({
        onSuccess: () => Queue.end(queue),
        onFailure: (cause) => Queue.failCause(queue, cause)
      })
    )
  })
}

/**
 * Runs a program as the process: Ctrl-C or SIGTERM interrupts it once, so that a run saves, and ends it the second time; a failure
 * is one message; exit codes are 0, 1, or 130 when it was interrupted and saved.
 */
export { runMain as main } from "@speedq/pipeline"

/** How far the run in a directory is, also while another process runs it; none where there is no run. */
export const status = (directory: string) => Effect.provide(statusOf(directory), NodeServices.layer)

export type { Entry, RunStatus }
