/** SPEED-Q: its stages, the artefacts that they hand to each other, and what they run on. */
export { AdaRoundLanguage } from "./adaroundLanguage/AdaRoundLanguage.ts"
export { AdaRoundVit } from "./adaroundVit/AdaRoundVit.ts"
export { AllocateBits } from "./allocateBits/AllocateBits.ts"
export {
  Allocation,
  ClippingRanges,
  QuantizedLanguage,
  QuantizedVision,
  TrainedProjector
} from "./artefacts/artefacts.ts"
export { loadTensors, tensorSource, tensorSources } from "./artefacts/tensorCodec.ts"
export { Autoclip } from "./autoclip/Autoclip.ts"
export { Awq } from "./awq/Awq.ts"
export { Blockwise } from "./blockwise/Blockwise.ts"
export { BlockwiseVit } from "./blockwise/BlockwiseVit.ts"
export { checkData } from "./check/checkData.ts"
export { type CheckedData, checkedDataOf, ownData } from "./check/checkedData.ts"
export { checkSource, readSourcesOf, type SourceCheck } from "./check/checkSources.ts"
export type { DataCheck, DatasetCheck, NamedLine, Quantiles } from "./check/DataCheck.ts"
export { previewData } from "./check/preview.ts"
export { Compute, ComputeUnavailable, Debugging } from "./compute/Compute.ts"
export { ComputeFailed, computing } from "./compute/computing.ts"
export { onProcessor } from "./compute/meaningOn.ts"
export { beginningNames, copyBeginning, differsFromBeginning } from "./data/copyBeginning.ts"
export { fingerprintOf } from "./data/fingerprint.ts"
export { SampleWorkerFailed, SampleWorkers } from "./data/SampleWorkers.ts"
export { SurveyProgress } from "./data/SurveyProgress.ts"
export {
  DataUnusable,
  EvaluationFailed,
  ModelUnreadable,
  NonFiniteGradient,
  NothingToLearn,
  RulesInvalid
} from "./Errors.ts"
export { readDivergences } from "./evaluate/Answers.ts"
export { askRows } from "./evaluate/askRows.ts"
export {
  type ComparedMeasure,
  compareEvaluations,
  type Difference,
  type Judged
} from "./evaluate/compareEvaluations.ts"
export { Evaluate } from "./evaluate/Evaluate.ts"
export { type Evaluation, Evaluations } from "./evaluate/Evaluation.ts"
export { byLastEvaluation } from "./evaluate/judgement.ts"
export { type Examination, openExamination, questionsElsewhere, questionUnit } from "./evaluate/questionUnits.ts"
export { Export, ExportedModel } from "./export/Export.ts"
export {
  type AddedPlugin,
  builtIn,
  type ExtensionLists,
  Extensions,
  type OwnStage,
  type StageServices
} from "./extensions/Extensions.ts"
export { addPlugin, extended, withExtensions } from "./extensions/extended.ts"
export { definePlugin, inCode, type Plugin } from "./extensions/Plugin.ts"
export { PluginFailed } from "./extensions/PluginFailed.ts"
export { PluginInvalid } from "./extensions/PluginInvalid.ts"
export { missingPlugins, pluginIdentity, pluginSurroundings, recordedPlugins } from "./extensions/pluginRecord.ts"
export { Gptq } from "./gptq/Gptq.ts"
export { ImportVit } from "./importVit/ImportVit.ts"
export { JointQat } from "./jointQat/JointQat.ts"
export { openAnsweringModel } from "./model/answeringModel.ts"
export { openJudgedModel } from "./model/judgedModel.ts"
export { answerRequests, modelAnswerer } from "./model/modelAnswerer.ts"
export type { OpenedModel } from "./model/OpenedModel.ts"
export { EmbeddingConfig, type PlannedLayers, planEmbeddings, planTowers } from "./model/plannedLayers.ts"
export { openRecipeModel, openSourceModel } from "./model/SourceModel.ts"
export { owned, owningState } from "./model/stageMemory.ts"
export { measuredLayers, planStage } from "./planning/decidingStages.ts"
export { configOf, ReleasedConfigs } from "./planning/plannedModel.ts"
export { Qat } from "./qat/Qat.ts"
export { openReferenceModel } from "./reference/openReferenceModel.ts"
export { detailsDirectory } from "./reference/QuantDetails.ts"
export { knownStages } from "./registry/knownStages.ts"
export type {
  AdaRoundLanguageOptions,
  AdaRoundVitOptions,
  AllocateBitsOptions,
  AutoclipOptions,
  AwqOptions,
  BenchmarkOptions,
  BlockwiseOptions,
  BlockwiseVitOptions,
  DataOptions,
  EvaluateOptions,
  ExportOptions,
  GptqOptions,
  ImportVitOptions,
  JointQatOptions,
  LossOptions,
  OtherLossOptions,
  QatOptions,
  RoundLanguageOptions,
  TrainingStageOptions,
  TrainProjectorOptions
} from "./registry/stageOptions.ts"
export { stages } from "./registry/stages.ts"
export { RoundLanguage } from "./roundLanguage/RoundLanguage.ts"
export { hiddenStates } from "./training/hiddenStates.ts"
export { gradientsOf, type Learner, makeLearner, releaseGradients, update } from "./training/Learner.ts"
export { TrainProjector } from "./trainProjector/TrainProjector.ts"
