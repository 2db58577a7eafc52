/** What a run directory holds and how far its run is, read without its lock: also while another process writes it. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { readManifest, type StageManifest } from "../checkpoints/StageManifest.ts"
import { eventsFileName, type RunRecord, readRunRecord, runFileName, stagesName } from "../directory/RunDirectory.ts"
import { type LockOwner, lockFileName, ownerRuns, readLock } from "../directory/RunLock.ts"
import { type LoggedEvent, lastOf, readEvents } from "../events/readEvents.ts"
import { Interrupted, RunFailed, StepDone } from "../events/runEvents.ts"
import { whileDoing } from "../files/storage.ts"
import { placeName, stagesInJson } from "../recipe/stageLabels.ts"

export interface StageStatus {
  readonly place: string
  /** `stale`: what is there was made under another key than the stage has in this run by now; it will be made anew. */
  readonly state: "finished" | "begun" | "waiting" | "stale"
  /** Steps done according to the log, which is ahead of what is saved. */
  readonly step: number
  readonly savedStep: number
  readonly steps: number | undefined
  readonly loss: number | undefined
  readonly key: string | undefined
  /** Builds of this program that computed what is saved, oldest first. */
  readonly builds: ReadonlyArray<string>
  /** Bytes of the finished stage's artefacts. */
  readonly keptBytes: number
}

export interface RunStatus {
  readonly directory: string
  /** `stopped` is a run that ended without saying why: killed, or a machine that lost power. */
  readonly state: "running" | "finished" | "interrupted" | "failed" | "stopped"
  readonly message: string | undefined
  readonly record: RunRecord
  readonly owner: LockOwner | undefined
  readonly stages: ReadonlyArray<StageStatus>
}

// Enough for the newest step of the running stage, and little enough to be quick on a log of a million steps.
const tailBytes = 2 ** 20

/** The status of the run in `directory`; none where there is no run. */
export const status = Effect.fn("status")(function* (directory: string) {
  const path = yield* Path.Path
  const reading = (name: string) => whileDoing("read the run", path.join(directory, name))
  const found = yield* reading(runFileName)(readRunRecord(directory))
  if (Option.isNone(found)) return Option.none<RunStatus>()
  const record = found.value
  const { events } = yield* readEvents(path.join(directory, eventsFileName), tailBytes)
  const stages = yield* Effect.forEach(stagesInJson(record.recipe), ({ label }, index) =>
    stageStatus(path.join(directory, stagesName), placeName(index, label), record, events)
  )
  const owner = Option.getOrUndefined(yield* reading(lockFileName)(readLock(directory)))
  const running = owner !== undefined && ownerRuns(owner) !== false
  return Option.some<RunStatus>({
    directory,
    ...(running ? { state: "running", message: undefined } : ending(stages, events)),
    record,
    owner: running ? owner : undefined,
    stages
  })
})

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
