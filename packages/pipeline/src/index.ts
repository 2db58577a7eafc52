/** Staged, resumable work: stages and recipes, a run directory with checkpoints, events, and the report of a run. */
export * as Artefact from "./Artefact.ts"
export * as Codec from "./Codec.ts"
export {
  LockLost,
  NonFiniteMetric,
  NotARunDirectory,
  PreflightFailed,
  RecipeInvalid,
  RunLocked,
  SavedFileDamaged,
  StageFailed,
  type StageFailedWith,
  type StageFault,
  StorageFailed
} from "./Errors.ts"
export { type EventKind, type EventOf, eventKind } from "./EventKind.ts"
export { CurrentStage, type Entry, Events, emit, isEntryOf, type Sink } from "./Events.ts"
export * as Forecast from "./Forecast.ts"
export { Machine, Surroundings } from "./Machine.ts"
export { applyOverrides } from "./overrides.ts"
export * as Preflight from "./Preflight.ts"
export * as Recipe from "./Recipe.ts"
export { RecipeSettings, SavePolicy } from "./RecipeSettings.ts"
export * as Report from "./Report.ts"
export { RunDirectory, RunRecord } from "./RunDirectory.ts"
export { eventsOf, type LoggedEvent, lastOf, readEvents } from "./readEvents.ts"
export { renderReport } from "./report/renderReport.ts"
export * as RunEvents from "./runEvents.ts"
export { InterruptionFailure, runMain } from "./runMain.ts"
export { runReport } from "./runReport.ts"
export * as Stage from "./Stage.ts"
export type { Output } from "./sinks/Output.ts"
export * as Sinks from "./sinks/Sinks.ts"
export { type RunStatus, type StageStatus, status } from "./status.ts"
export { writeReport } from "./writeReport.ts"
