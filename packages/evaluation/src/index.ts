/** VLMEvalKit-compatible evaluation: data files, prompts, matching, scores, and a runner that continues where it stopped. */
export { Answerer, type AnswerRequest } from "./Answerer.ts"
export {
  type AnsweredRow,
  type Benchmark,
  type GenerationSettings,
  greedyGeneration,
  type Origin,
  tilesPerImage,
  UnscorableRow
} from "./Benchmark.ts"
export { nano } from "./benchmarks/Nano.ts"
export { type DataFile, type DataRow, type ImageSource, type ReadOptions, readDataFile } from "./DataFile.ts"
export {
  AnswerFailed,
  ColumnMissing,
  DataFileMissing,
  JournalDamaged,
  JournalMismatch,
  NameInvalid,
  PredictionDuplicate,
  PredictionForeign,
  PredictionsMissing,
  RowInvalid,
  RowNotAnswered,
  TableInvalid,
  UnknownBenchmark
} from "./Errors.ts"
export { type Evaluated, type EvaluateOptions, evaluate, isPublished, requestOf } from "./evaluate.ts"
export { type Journal, type JournalKey, openJournal } from "./Journal.ts"
export { inferOption, type Matcher, matchers, type Options } from "./matching/inferOption.ts"
export { readsText } from "./matching/readsText.ts"
export { extractYesNo } from "./matching/yesNo.ts"
export type { Progress } from "./Progress.ts"
export {
  multipleChoicePrompt,
  questionWithOptions,
  shortAnswerPrompt,
  withImageMarks,
  yesNoPrompt
} from "./prompts.ts"
export { optionLetters, optionsOf, type Row, splitOf } from "./Row.ts"
export { readPredictions } from "./readPredictions.ts"
export { benchmarkNamed, benchmarks } from "./registry.ts"
export { renderScore } from "./renderScore.ts"
export { type RowImageOptions, rowImages } from "./rowImages.ts"
export { type Prediction, type Score, type ScoredRow, type ScoreOptions, score, scoreWithMarks } from "./Score.ts"
export type { Mark, Marks, RowMark } from "./scoring/Marks.ts"
export { accuracyFile, type ScoreFile } from "./scoring/ScoreFile.ts"
export {
  type CutCell,
  type PredictionFormat,
  predictionFormatOf,
  predictionFormats,
  writePredictions,
  xlsxCellLimit
} from "./writePredictions.ts"
export { type ScoreFiles, writeScore } from "./writeScore.ts"
