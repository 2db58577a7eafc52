/** Staged, resumable work: stages and recipes, a run directory with checkpoints, events, and the report of a run. */
export {
  type Ablation,
  AblationDocument,
  decodeAblation,
  decodeAblationDocument,
  isAblation,
  type Variant
} from "./ablation/Ablation.ts"
export { type CellInput, cellUnit } from "./ablation/cells.ts"
export { distinctStages } from "./ablation/distinctStages.ts"
export type { Measure, Scored } from "./ablation/measures.ts"
export { type Judgement, runAblation, type VariantResults } from "./ablation/runAblation.ts"
export { runPlace } from "./ablation/runPlace.ts"
export { OtherRuns } from "./checkpoints/Checkpoints.ts"
export { manifestName, readManifest } from "./checkpoints/StageManifest.ts"
export { FileRecord, openSaved, recordOf, verifyFile, writeSaved } from "./checkpoints/savedFile.ts"
export { heldElsewhere } from "./directory/heldElsewhere.ts"
export { directoryName } from "./directory/Name.ts"
export {
  RunDirectory,
  RunRecord,
  readRunRecord,
  runFileName,
  runnersName,
  stagesName,
  supersededName
} from "./directory/RunDirectory.ts"
export { acquireLock, type RunLock } from "./directory/RunLock.ts"
export { removeSuperfluous, type Superfluous, superfluousIn } from "./directory/superfluous.ts"
export {
  LockLost,
  NonFiniteMetric,
  NotARunDirectory,
  PreflightFailed,
  problemText,
  RecipeInvalid,
  RunLocked,
  SavedFileDamaged,
  StageFailed,
  type StageFailedWith,
  type StageFault,
  StorageFailed
} from "./Errors.ts"
export { type EventKind, type EventOf, eventKind } from "./events/EventKind.ts"
export { CurrentStage, type Entry, Events, emit, isEntryOf, type Sink } from "./events/Events.ts"
export { eventsOf, type LoggedEvent, lastOf, readEvents } from "./events/readEvents.ts"
export * as RunEvents from "./events/runEvents.ts"
export type { Output } from "./events/sinks/Output.ts"
export { hasColors, isTerminal } from "./events/sinks/Output.ts"
export { Records, recordSinks } from "./events/sinks/records.ts"
export * as Sinks from "./events/sinks/Sinks.ts"
export { madeDirectory, readingFault, storageFailed, unlessDamaged, whileDoing, whileStoring } from "./files/storage.ts"
export { jsonOrText } from "./json/jsonOrText.ts"
export { Build } from "./machine/Build.ts"
export { Machine, recipeModule, runCommand, Surroundings } from "./machine/Machine.ts"
export { monotonicMillis } from "./machine/monotonic.ts"
export { TensorMemory } from "./machine/TensorMemory.ts"
export { type RunnerShare, type RunnerTable, readRunners, writeRunners } from "./overview/runnerTable.ts"
export { runReport } from "./overview/runReport.ts"
export { runsBelow } from "./overview/runsBelow.ts"
export { type RunStatus, type StageStatus, status } from "./overview/status.ts"
export { ReportEvery, writeReport } from "./overview/writeReport.ts"
export { FindsTimes } from "./plan/expectedSeconds.ts"
export { type MemoryBudget, memoryBudget, memoryLimit, processBytes, tensorBudget } from "./plan/memoryLimit.ts"
export * as Preflight from "./plan/Preflight.ts"
export { presentIn } from "./plan/present.ts"
export { applyOverrides } from "./recipe/overrides.ts"
export type { RecipeOptions } from "./recipe/recipeOptions.ts"
export { type SettingDifference, settingsThatDiffer } from "./recipe/settingDifferences.ts"
export { stagesInJson } from "./recipe/stageLabels.ts"
export { publicSection } from "./report/publicSection.ts"
export * as Report from "./report/Report.ts"
export { renderReport } from "./report/renderReport.ts"
export { BetweenStages } from "./run/BetweenStages.ts"
export { beginStage, fingerprintAt, stageInputs } from "./run/beginStage.ts"
export * as Recipe from "./run/Recipe.ts"
export { failingWithRaised, isRaised } from "./run/raised.ts"
export { InterruptionFailure, runMain, withoutMain } from "./run/runMain.ts"
export { stageSeed } from "./run/runStage.ts"
export { type Meaning, StageArithmetic } from "./run/StageArithmetic.ts"
export { whenUnlocked } from "./run/whenUnlocked.ts"
export { Compat, Count, CountOrNone, Positive, Rate, Share } from "./settings/options.ts"
export { RecipeSettings, SavePolicy } from "./settings/RecipeSettings.ts"
export * as Artefact from "./stage/Artefact.ts"
export * as Codec from "./stage/Codec.ts"
export * as Forecast from "./stage/Forecast.ts"
export * as Stage from "./stage/Stage.ts"
export { formatBytes, formatCount, formatDuration, formatNumber, formatTime } from "./text/format.ts"
export { numbered } from "./units/numbered.ts"
export {
  type BatchOptions,
  type ComputeUnit,
  type Unit,
  type UnitBatch,
  UnitComputers,
  type UnitFiles,
  UnitOffer
} from "./units/UnitComputers.ts"
export { type UnitKind, unitKind } from "./units/UnitKind.ts"
export { unitsAhead } from "./units/unitsAhead.ts"
