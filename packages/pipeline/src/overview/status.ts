/** What a run directory holds and how far its run is, read without its lock: also while another process writes it. */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { readManifest, type StageManifest } from "../checkpoints/StageManifest.ts"
import { eventsFileName, type RunRecord, readRunRecord, stagesName } from "../directory/RunDirectory.ts"
import { type LockOwner, leaseMilliseconds, lockFileName, ownerRuns, readLock } from "../directory/RunLock.ts"
import { type LoggedEvent, lastOf, readEvents } from "../events/readEvents.ts"
import { Interrupted, RunFailed, RunStarted, StageStarted, StepDone } from "../events/runEvents.ts"
import { storageFailed, whileDoing } from "../files/storage.ts"
import { leftAtRate, type StagePart, type WholeRun, wholeRun } from "../plan/wholeRun.ts"
import { stagesInJson } from "../recipe/stageLabels.ts"
import type { Table } from "../report/Report.ts"
import { type RunnerTable, readRunners } from "./runnerTable.ts"
import { scoresSoFar } from "./scores.ts"

export interface StageStatus {
  readonly place: string
  /** `stale`: what is there was made under another key than the stage has in this run by now; it will be made anew. */
  readonly state: "finished" | "begun" | "waiting" | "stale"
  /** Steps done according to the log, which is ahead of what is saved. */
  readonly step: number
  readonly savedStep: number
  readonly steps: number | undefined
  readonly loss: number | undefined
  /** Milliseconds that are left of it, at the rate of the steps that the end of the log tells; undefined where that is unknown. */
  readonly left: number | undefined
  readonly key: string | undefined
  /** Builds of this program that computed what is saved, oldest first. */
  readonly builds: ReadonlyArray<string>
  /** Bytes of the finished stage's artefacts. */
  readonly keptBytes: number
}

export interface RunStatus {
  readonly directory: string
  /**
   * `stopped` is a run that ended without saying why: killed, or a machine that lost power. `unknown` is a run of another machine or
   * container, whose process cannot be seen from here, with a sign of life in the last ten minutes.
   */
  readonly state: "running" | "unknown" | "finished" | "interrupted" | "failed" | "stopped"
  readonly message: string | undefined
  readonly record: RunRecord
  readonly owner: LockOwner | undefined
  readonly stages: ReadonlyArray<StageStatus>
  /** When the run last wrote its log or renewed its lock, in milliseconds since 1970; undefined where it did neither. */
  readonly seenAt: number | undefined
  /** Milliseconds that it works or worked since it was last begun or continued. */
  readonly elapsed: number
  /** What of it is done, 0 to 1, and milliseconds left; undefined where the times of its stages are unknown. */
  readonly progress: WholeRun
  /** Scores of the models that were asked so far: the last table of them that is not stale. */
  readonly scores: typeof Table.Type | undefined
  /** Other processes that compute for it; undefined where there never was one. */
  readonly runners: RunnerTable | undefined
}

// Enough for the newest step of the running stage, and little enough to be quick on a log of a million steps.
const tailBytes = 2 ** 20

/** The status of the run in `directory`; none where there is no run. */
export const status = Effect.fn("status")(function* (directory: string) {
  const path = yield* Path.Path
  const reading = (name: string) => whileDoing("read the run", path.join(directory, name))
  const found = yield* Effect.mapError(readRunRecord(directory), (error) =>
    storageFailed("read the run", error.file, error)
  )
  if (Option.isNone(found)) return Option.none<RunStatus>()
  const record = found.value
  const { events } = yield* readEvents(path.join(directory, eventsFileName), tailBytes)
  const stages = yield* Effect.forEach(stagesInJson(record.recipe), ({ place }) =>
    stageStatus(path.join(directory, stagesName), place, record, events)
  )
  const owner = Option.getOrUndefined(yield* reading(lockFileName)(readLock(directory)))
  const now = yield* Clock.currentTimeMillis
  const renewedAt = yield* modifiedAt(path.join(directory, lockFileName))
  const runs = owner === undefined ? false : (ownerRuns(owner) ?? isWithinLease(renewedAt, now))
  const isHere = owner !== undefined && ownerRuns(owner) === true
  const seenAt = latest(events.at(-1)?.at, runs ? renewedAt : undefined)
  const begunAt = Date.parse(record.continuedAt.at(-1) ?? record.startedAt)
  return Option.some<RunStatus>({
    directory,
    ...(runs ? { state: isHere ? "running" : "unknown", message: undefined } : ending(stages, events)),
    record,
    owner: runs ? owner : undefined,
    stages,
    seenAt,
    elapsed: Math.max(0, (isHere ? now : (seenAt ?? begunAt)) - begunAt),
    progress: wholeRun(stages.map((stage) => partOf(stage, record))),
    scores: yield* scoresSoFar(directory, stages),
    // A table for people: one that cannot be read says nothing of the run.
    runners: yield* Effect.orElseSucceed(readRunners(directory), () => undefined)
  })
})

const latest = (...times: ReadonlyArray<number | undefined>): number | undefined => {
  const known = times.filter((at) => at !== undefined)
  return known.length === 0 ? undefined : Math.max(...known)
}

/** When a file was last written or renewed, by the clock of its file system; undefined where it is not there. */
const modifiedAt = Effect.fnUntraced(function* (file: string) {
  const fs = yield* FileSystem.FileSystem
  const info = yield* Effect.option(fs.stat(file))
  return Option.getOrUndefined(Option.flatMap(info, ({ mtime }) => mtime))?.getTime()
})

const isWithinLease = (renewedAt: number | undefined, now: number): boolean =>
  renewedAt !== undefined && now - renewedAt <= leaseMilliseconds

/** A stage as a part of the whole run. */
const partOf = ({ place, state, step, steps, left }: StageStatus, { expectedSeconds = {} }: RunRecord): StagePart => {
  const seconds = expectedSeconds[place]
  if (state === "finished") return { share: 1, seconds }
  if (state !== "begun" || steps === undefined || steps === 0) return { share: 0, seconds }
  return { share: step / steps, seconds, left }
}

/** Only steps that one process did one after the other have a rate. */
const leftAtLoggedRate = (events: ReadonlyArray<LoggedEvent>, place: string, remaining: number): number | undefined => {
  const since = events.findLastIndex(
    ({ tag, stage }) => tag === RunStarted.tag || (tag === StageStarted.tag && stage === place)
  )
  const own = events.slice(since + 1).filter(({ stage, tag }) => stage === place && tag === StepDone.tag)
  const [first, last] = [own[0], own.at(-1)]
  const between = first === undefined || last === undefined ? 0 : last.at - first.at
  return leftAtRate(between, own.length - 1, remaining)
}

const stageStatus = Effect.fnUntraced(function* (
  stages: string,
  place: string,
  { keys }: RunRecord,
  events: ReadonlyArray<LoggedEvent>
) {
  const path = yield* Path.Path
  const found = Option.getOrUndefined(yield* readManifest(path.join(stages, place)))?.manifest
  const last = lastOf(
    StepDone,
    events.filter(({ stage }) => stage === place)
  )
  const savedStep = found?.finished?.steps ?? found?.checkpoints[0]?.step ?? 0
  const result: StageStatus = {
    place,
    state: stateOf(found, keys[place]),
    step: found?.finished?.steps ?? Math.max(last?.step ?? 0, savedStep),
    savedStep,
    steps: found?.steps ?? last?.steps,
    loss: last?.metrics.loss,
    left: last === undefined ? undefined : leftAtLoggedRate(events, place, last.steps - last.step),
    key: found?.key,
    builds: found?.builds ?? [],
    keptBytes: Object.values(found?.finished?.artefacts ?? {}).reduce((sum, { bytes }) => sum + bytes, 0)
  }
  return result
})

const stateOf = (found: StageManifest | undefined, key: string | undefined): StageStatus["state"] => {
  if (found === undefined) return "waiting"
  if (found.key !== key) return "stale"
  return found.finished === null ? "begun" : "finished"
}

/** How a run that no process works on any more came to its end, by its last event. */
export const ending = (
  stages: ReadonlyArray<StageStatus>,
  events: ReadonlyArray<LoggedEvent>
): Pick<RunStatus, "state" | "message"> => {
  if (stages.every(({ state }) => state === "finished")) return { state: "finished", message: undefined }
  const failure = lastOf(RunFailed, events.slice(-1))
  if (failure !== undefined) return { state: "failed", message: failure.message }
  const interrupted = events.at(-1)?.tag === Interrupted.tag
  return { state: interrupted ? "interrupted" : "stopped", message: undefined }
}
