/** Runs one stage: its steps, the saves between them, the stop at a step's end when the run is interrupted. */
import { createHash } from "node:crypto"
import { AtomicFile } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import type { StageFiles } from "../checkpoints/StageFiles.ts"
import { NonFiniteMetric, StageFailed, type StageFailedWith } from "../Errors.ts"
import { CurrentStage, Events, emit } from "../events/Events.ts"
import { StageFinished, StageStarted, StepDone } from "../events/runEvents.ts"
import { whileDoing } from "../files/storage.ts"
import { monotonicMillis } from "../machine/monotonic.ts"
import { publicSection } from "../report/publicSection.ts"
import { reportName, StageReport } from "../report/StageReport.ts"
import type { SavePolicy } from "../settings/RecipeSettings.ts"
import type { AnyArtefact } from "../stage/Artefact.ts"
import type { AnyStage, Metrics, Outcome, Session, StageContext } from "../stage/contract.ts"
import { failingWithRaised } from "./raised.ts"

const encodeReport = Schema.encodeSync(StageReport)

/** The seed of one stage: the same for the same recipe seed and label, unrelated for others. */
export const stageSeed = (seed: number, label: string): number =>
  createHash("sha256").update(`${seed}/${label}`).digest().readUInt32LE()

/** How far the running stage is; kept outside of it for what is said when the run ends early. */
export interface Progress {
  done: number
  steps: number
  /** Step of the newest saved state, 0 without one. */
  saved: number
  /** What failed in the steps or in the last save: an interrupted fiber ends with its interruption alone, whatever else failed in it. */
  failure: unknown
}

/** Runs a stage from its newest saved state to its end. `input` was checked when the recipe was composed. */
export const runStage = Effect.fn("runStage")(function* <E, R>(
  stage: AnyStage<E, R>,
  input: unknown,
  context: StageContext,
  files: StageFiles,
  progress: Progress
) {
  const startedAt = yield* monotonicMillis
  const place = (yield* CurrentStage) ?? context.label
  const failed = (cause: unknown) => {
    const { done: step, steps, saved } = progress
    return new StageFailed({ stage: place, step, steps, saved, cause }) as StageFailedWith<E>
  }
  progress.saved = files.newestSaved
  const record = yield* Effect.gen(function* () {
    const session = yield* stage.begin(input as never, context)
    progress.steps = session.steps
    const restored = yield* files.resume(session.restore)
    progress.done = Option.isSome(restored) ? restored.value : yield* session.start
    progress.saved = Option.getOrElse(restored, () => 0)
    yield* emit(StageStarted, { key: files.key, from: progress.done, steps: session.steps })
    const save = Effect.suspend(() => files.save(progress.done, session.steps, session.saved())).pipe(
      Effect.tap(() =>
        Effect.sync(() => {
          progress.saved = progress.done
        })
      )
    )
    // Steps that came with the stage's beginning, from a result that it takes the place of.
    if (Option.isNone(restored) && progress.done > 0) yield* save
    yield* runSteps(session, save, context.recipe.save, progress)
    return yield* finish(stage.gives, session, context, files).pipe(
      Effect.onError(() => Effect.ignore(failingWithRaised(save))),
      Effect.uninterruptible
    )
  }).pipe(failingWithRaised, Effect.mapError(failed))
  const bytes = Object.values(record.artefacts).reduce((sum, file) => sum + file.bytes, 0)
  const milliseconds = (yield* monotonicMillis) - startedAt
  yield* emit(StageFinished, { steps: record.steps, milliseconds, bytes })
}, Effect.scoped)

/** Steps until the last. A run can only be interrupted at the border between two steps, and saves there first. */
const runSteps = <Out, E, R, E2, R2>(
  session: Session<Out, E, R>,
  save: Effect.Effect<void, E2, R2>,
  policy: SavePolicy,
  progress: Progress
) =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const events = yield* Events
      const { steps } = session
      const saveAll = Effect.andThen(events.flush, save)
      // A step that failed is no reason to do those before it again. That its failure is told matters more than the save.
      const saveIntact = Effect.suspend(() =>
        progress.done > 0 && session.isIntact() ? Effect.ignore(failingWithRaised(saveAll)) : Effect.void
      )
      const saveOnError = Effect.tapError(() => saveIntact)
      /** Numbers of a step that a device has not brought yet. */
      let late: Effect.Effect<Metrics, E, R> | undefined
      const end = Effect.fnUntraced(function* (metrics: Metrics) {
        yield* requireFinite(progress.done + 1, metrics)
        progress.done += 1
        yield* emit(StepDone, { step: progress.done, steps, metrics })
      })
      const settle = Effect.suspend(() => {
        if (late === undefined) return Effect.void
        const numbers = late
        late = undefined
        return Effect.flatMap(saveOnError(failingWithRaised(numbers)), end)
      })
      let savedAt = yield* monotonicMillis
      let flushedAt = savedAt
      for (let begun = progress.done; begun < steps; begun++) {
        // Only a step that waits for others lets itself be interrupted.
        const stepped = yield* Effect.result(failingWithRaised(session.step(begun))).pipe(
          Effect.onInterrupt(() => Effect.andThen(settle, saveIntact))
        )
        yield* settle
        const metrics = yield* saveOnError(Effect.fromResult(stepped))
        if (Effect.isEffect(metrics)) late = metrics
        else yield* end(metrics)

        const now = yield* monotonicMillis
        if (begun + 1 < steps && isDue(policy, begun + 1, now - savedAt)) {
          yield* settle
          yield* saveAll
          savedAt = flushedAt = yield* monotonicMillis
        } else if (now - flushedAt >= 1000) {
          yield* events.flush
          flushedAt = now
        }
        // The pause lets a signal arrive.
        yield* restore(Effect.yieldNow).pipe(Effect.onInterrupt(() => Effect.andThen(settle, saveAll)))
      }
      yield* settle
    }).pipe(
      Effect.tapError((error) =>
        Effect.sync(() => {
          progress.failure = error
        })
      )
    )
  )

const isDue = ({ everySteps, everySeconds }: SavePolicy, done: number, milliseconds: number): boolean =>
  (everySteps !== undefined && done % everySteps === 0) || milliseconds >= everySeconds * 1000

const requireFinite = (step: number, metrics: Metrics) =>
  Effect.forEach(
    Object.entries(metrics),
    ([metric, value]) =>
      Number.isFinite(value) ? Effect.void : new NonFiniteMetric({ step, metric, value: String(value) }),
    { discard: true }
  )

/** Ends the stage: its outcome, its report, its artefacts, and last the manifest that makes it finished. */
const finish = Effect.fnUntraced(function* <E, R>(
  gives: ReadonlyArray<AnyArtefact<E, R>>,
  session: Session<unknown, E, R>,
  context: StageContext,
  files: StageFiles
) {
  const path = yield* Path.Path
  const { output, report = [], files: others = [] }: Outcome<unknown> = yield* session.finish
  const reportFile = path.join(context.directory, reportName)
  const text = new TextEncoder().encode(encodeReport(report.map(publicSection)))
  const written = yield* whileDoing("write the stage's report", reportFile)(AtomicFile.writeWhole(reportFile, text))
  const values = output as { readonly [name: string]: never }
  const artefacts = gives.map(({ name, codec }) => ({ name, saved: codec.save(values[name]!) }))
  return yield* files.finish(session.steps, artefacts, [written, ...others])
})
