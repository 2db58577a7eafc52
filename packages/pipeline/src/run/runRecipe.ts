/** Runs a recipe in a run directory: reuses what is finished, continues what was begun, does the rest. */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Scope from "effect/Scope"
import * as Semaphore from "effect/Semaphore"
import * as Checkpoints from "../checkpoints/Checkpoints.ts"
import type { StageFiles } from "../checkpoints/StageFiles.ts"
import { eventsFileName, RunDirectory, type RunRecord, reportFileName, stagesName } from "../directory/RunDirectory.ts"
import { surroundingsChanges } from "../directory/surroundingsChanges.ts"
import {
  type LockLost,
  type PreflightFailed,
  type SavedFileDamaged,
  StageFailed,
  type StageFailedWith,
  type StorageFailed
} from "../Errors.ts"
import { CurrentStage, Events, emit } from "../events/Events.ts"
import { eventReader } from "../events/readEvents.ts"
import * as RunEvents from "../events/runEvents.ts"
import { Build } from "../machine/Build.ts"
import { Machine, Surroundings } from "../machine/Machine.ts"
import { monotonicMillis } from "../machine/monotonic.ts"
import { isApart } from "../machine/TensorMemory.ts"
import { ReportEvery, writeReport } from "../overview/writeReport.ts"
import { expectedSeconds } from "../plan/expectedSeconds.ts"
import * as Preflight from "../plan/Preflight.ts"
import { toJson } from "../recipe/recipeJson.ts"
import { type AnyRecipe, labelled, type Recipe } from "../recipe/recipeValue.ts"
import { recipeChanges } from "../recipe/settingDifferences.ts"
import type { AnyArtefact } from "../stage/Artefact.ts"
import type { AnyStage, Begun } from "../stage/contract.ts"
import { formatBytes } from "../text/format.ts"
import { BetweenStages } from "./BetweenStages.ts"
import { InterruptionFailure } from "./runMain.ts"
import { type Progress, runStage, stageSeed } from "./runStage.ts"
import { arithmeticOf, chosenArithmetic, StageArithmetic } from "./StageArithmetic.ts"
import { expectedKeys, inputsOf, keyOf } from "./stageKeys.ts"

/** What can end a run besides a stage's own errors, which come inside StageFailed. */
export type RunError = PreflightFailed | StorageFailed | LockLost | SavedFileDamaged

/** Where an artefact is: the finished stage that gives it, and under which key. */
interface Source {
  readonly artefact: AnyArtefact
  readonly files: StageFiles
  readonly key: string
}
type Sources = ReadonlyMap<string, Source>

/** The stage that runs now, for what is said when the run ends early. */
interface Current extends Progress {
  place: string | undefined
}

/**
 * Runs a recipe and returns what its last stage gives. Finished stages with the same key are reused, a stage that was begun is
 * continued after its newest saved step, and the rest is run. An interruption finishes the step, saves, and ends; the same call
 * continues. What is returned may read its tensors lazily until the run directory is left.
 */
export const run = <A, L, E, R>(
  recipe: Recipe<A, L, E, R>
): Effect.Effect<
  L,
  RunError | StageFailedWith<E>,
  Exclude<R, Scope.Scope> | RunDirectory | Events | FileSystem.FileSystem | Path.Path
> =>
  Effect.suspend(() => {
    const current: Current = { place: undefined, done: 0, steps: 0, saved: 0, failure: undefined }
    return runStages(recipe, current).pipe(
      Effect.map((output) => output as L),
      Effect.onError((cause) => endEarly(current, cause)),
      Effect.scoped
    )
  })

const runStages = Effect.fn("Recipe.run")(function* <E, R>(recipe: AnyRecipe<E, R>, current: Current) {
  const directory = yield* RunDirectory
  const path = yield* Path.Path
  const startedAt = yield* monotonicMillis
  const planned = yield* Preflight.check(recipe, directory.path)
  let keys = yield* expectedKeys(recipe)
  const seconds = yield* expectedSeconds(planned)
  yield* recordRun(recipe, keys, seconds)
  yield* tellUnknownMemory(planned)

  const sources = new Map<string, Source>()
  // The reports on the way end with the stages: the last word is that of the finished run.
  yield* Effect.scoped(
    Effect.gen(function* () {
      const report = yield* reportsOnTheWay(directory.path)
      for (const [index, each] of labelled(recipe.stages).entries()) {
        const { place } = each
        Object.assign(current, { place, done: 0, steps: 0, saved: 0 })
        const made = yield* Effect.gen(function* () {
          const given = new Map([...sources].map(([name, source]) => [name, source.key]))
          const key = yield* Effect.mapError(keyOf(recipe, each, given), notStarted<E>(place))
          const continuation = (begun: Begun) =>
            Effect.mapError(each.stage.continuation(recipe.settings, begun), notStarted<E>(place))
          const { files, before } = yield* Checkpoints.claim(place, key, continuation)
          if (files.key !== keys[place]) {
            // Its data changed since the run began, or what was done goes on over a change.
            const after = new Map([...given, ...each.stage.gives.map(({ name }) => [name, files.key] as const)])
            const later = yield* expectedKeys(recipe, index + 1, after)
            keys = { ...firstOf(keys, index), [place]: files.key, ...later }
            yield* directory.expect(keys)
          }
          return yield* runOrReuse(recipe, each, { files, before }, sources, current)
        }).pipe(Effect.provideService(CurrentStage, place), Effect.scoped)
        for (const source of made) sources.set(source.artefact.name, source)
        yield* report
      }
    })
  )
  current.place = undefined

  const last = labelled(recipe.stages).at(-1)
  const returned = load(last?.stage.gives ?? [], sources, last?.place ?? "")
  const output = yield* Effect.provideService(returned, Scope.Scope, directory.scope)
  yield* (yield* Events).flush
  yield* writeReport(directory.path)
  const milliseconds = (yield* monotonicMillis) - startedAt
  yield* emit(RunEvents.RunFinished, { milliseconds, report: path.join(directory.path, reportFileName) })
  return output
})

/** A report costs at most this part of the time of a run. */
const reportShare = 1 / 50

/**
 * Writes the report of a run that goes on, now and again every few minutes until the scope ends; gives what writes it once more. That one
 * cannot be written is no reason to stop: the last one, of a run that has ended, says so if it must.
 */
const reportsOnTheWay = Effect.fnUntraced(function* (directory: string) {
  const events = yield* Events
  const every = yield* ReportEvery
  const one = yield* Semaphore.make(1)
  const reader = eventReader((yield* Path.Path).join(directory, eventsFileName))
  const write = one.withPermit(Effect.ignore(Effect.andThen(events.flush, writeReport(directory, true, reader))))
  const again = Effect.gen(function* () {
    let wait = Duration.toMillis(every)
    while (true) {
      yield* Effect.sleep(Duration.millis(wait))
      const before = yield* monotonicMillis
      yield* write
      wait = Math.max(Duration.toMillis(every), ((yield* monotonicMillis) - before) / reportShare)
    }
  })
  yield* write
  yield* Effect.forkScoped(again)
  return write
})

/** The first `count` fields of a record. */
const firstOf = <A>(record: { readonly [name: string]: A }, count: number): { readonly [name: string]: A } =>
  Object.fromEntries(Object.entries(record).slice(0, count))

/** Brings one stage to its end, by whatever is left to do, and tells where its artefacts are. */
const runOrReuse = Effect.fnUntraced(function* <E, R>(
  recipe: AnyRecipe<E, R>,
  { stage, label, place }: { readonly stage: AnyStage<E, R>; readonly label: string; readonly place: string },
  { files, before }: Effect.Success<ReturnType<typeof Checkpoints.claim>>,
  sources: Sources,
  progress: Progress
) {
  const directory = yield* RunDirectory
  const path = yield* Path.Path
  if (Option.isSome(yield* files.finished)) {
    yield* emit(RunEvents.StageReused, { key: files.key })
  } else {
    const context = {
      recipe: recipe.settings,
      label,
      seed: stageSeed(recipe.settings.seed, label),
      directory: path.join(directory.path, stagesName, place),
      runDirectory: directory.path,
      ...(before === undefined ? {} : { before })
    }
    yield* yield* BetweenStages
    const { arithmetic, detail } = yield* arithmeticOf(recipe.settings, label)
    if (arithmetic === "f32" && chosenArithmetic(recipe.settings, label) !== "f32") {
      yield* emit(RunEvents.Warning, { message: `computes in f32: ${detail}` })
    }
    const work = Effect.flatMap(load(inputsOf(stage, sources), sources, place), (input) =>
      runStage(stage, input, context, files, progress)
    )
    yield* (yield* StageArithmetic).within(arithmetic)(work)
  }
  return stage.gives.map((artefact): Source => ({ artefact, files, key: files.key }))
})

/** The values of some artefacts by name, always as they were written to the disk: a continued run sees the same as an uninterrupted one. */
const load = Effect.fnUntraced(function* <E, R>(
  artefacts: ReadonlyArray<AnyArtefact<E, R>>,
  sources: Sources,
  place: string
) {
  const values: { [name: string]: unknown } = {}
  for (const { name, codec } of artefacts) {
    const source = sources.get(name)
    if (source === undefined) continue
    const stored = yield* source.files.artefact(name)
    values[name] = yield* Effect.mapError(codec.load(stored), notStarted<E>(place))
  }
  return values
})

const notStarted =
  <E>(stage: string) =>
  (cause: E | SavedFileDamaged) =>
    new StageFailed({ stage, step: 0, steps: 0, saved: 0, cause }) as StageFailedWith<E>

/** A device whose memory nobody tells may run out of it: that is said before the work, not after hours of it. */
const tellUnknownMemory = Effect.fnUntraced(function* ({ device }: Preflight.Plan) {
  if (!isApart(device) || device.bytes !== undefined) return
  const message = `how much memory ${device.device} has is not known (${device.source}); the run takes up to ${formatBytes(device.neededBytes)} of it, which is checked where memory.device says how much there is`
  yield* emit(RunEvents.Warning, { message })
})

/** Writes run.json, and tells what is not as it was when this directory was last written. */
const recordRun = Effect.fnUntraced(function* (
  recipe: AnyRecipe,
  keys: RunRecord["keys"],
  expected: ReadonlyArray<number | undefined>
) {
  const directory = yield* RunDirectory
  const surroundings = { ...(yield* Machine).description, ...(yield* Surroundings) }
  const stages = labelled(recipe.stages)
  const seconds = Object.fromEntries(
    stages.flatMap(({ place }, index) => (expected[index] === undefined ? [] : [[place, expected[index]]]))
  )
  const now = { recipe: toJson(recipe), keys, build: yield* Build, surroundings, expectedSeconds: seconds }
  const before = yield* directory.record(now)
  yield* emit(RunEvents.RunStarted, {
    name: recipe.settings.name,
    stages: stages.map(({ place }) => place),
    continued: Option.isSome(before),
    seconds
  })
  if (Option.isNone(before)) return
  const changes = recipeChanges(before.value.recipe, now.recipe)
  if (changes.length > 0) yield* emit(RunEvents.RecipeChanged, { changes })
  const otherChanges = surroundingsChanges(before.value.surroundings, surroundings)
  if (otherChanges.length > 0) yield* emit(RunEvents.SurroundingsChanged, { changes: otherChanges })
})

/** Says why the run ended, and writes the report of what there is, unless the directory is another's now. */
const endEarly = Effect.fnUntraced(
  function* ({ place, done, steps, saved, failure }: Current, cause: Cause.Cause<unknown>) {
    const directory = yield* RunDirectory
    const interrupted = Cause.hasInterruptsOnly(cause)
    if (interrupted && failure === undefined) {
      yield* emit(RunEvents.Interrupted, { step: done, steps })
    } else {
      const error = interrupted
        ? new StageFailed({ stage: place ?? "", step: done, steps, saved, cause: failure })
        : Cause.squash(cause)
      yield* emit(RunEvents.RunFailed, { message: error instanceof Error ? error.message : String(error) })
      if (interrupted) (yield* InterruptionFailure).error = error
    }
    yield* (yield* Events).flush
    yield* writeReport(directory.path)
  },
  // Whatever fails here must not hide the reason.
  (self, { place }) => Effect.ignore(Effect.provideService(self, CurrentStage, place))
)
