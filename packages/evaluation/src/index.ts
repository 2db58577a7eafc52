/** VLMEvalKit-compatible evaluation: data files, prompts, matching, scores, and a runner that continues where it stopped. */

export {
  type AnsweredRow,
  answerOf,
  type Benchmark,
  type GenerationSettings,
  greedyGeneration,
  type Origin,
  tilesPerImage,
  UnscorableRow
} from "./benchmarks/Benchmark.ts"
export { nano } from "./benchmarks/Nano.ts"
export { paperAverage, paperBenchmarks } from "./benchmarks/paperAverage.ts"
export {
  multipleChoicePrompt,
  questionWithOptions,
  shortAnswerPrompt,
  withImageMarks,
  yesNoPrompt
} from "./benchmarks/prompts.ts"
export { benchmarkNamed, benchmarks, findBenchmark } from "./benchmarks/registry.ts"
export { type DataFile, type DataRow, type ImageSource, type ReadOptions, readDataFile } from "./data/DataFile.ts"
export { optionLetters, optionsOf, type Row, splitOf } from "./data/Row.ts"
export { picturePath, type RowImageOptions, rowImages } from "./data/rowImages.ts"
export { unreadableRows } from "./data/unreadableRows.ts"
export {
  AnswerFailed,
  AnswersDiffer,
  ColumnMissing,
  DataFileMissing,
  JournalDamaged,
  JournalMismatch,
  NameInvalid,
  namedRows,
  PredictionDuplicate,
  PredictionForeign,
  PredictionsMissing,
  PredictionsOfOthers,
  RowInvalid,
  RowNotAnswered,
  RowsMissing,
  RowsUnreadable,
  TableInvalid,
  UnknownBenchmark
} from "./Errors.ts"
export { inferOption, type Matcher, type Options } from "./matching/inferOption.ts"
export { readsText } from "./matching/readsText.ts"
export { extractYesNo } from "./matching/yesNo.ts"
export type { Prediction } from "./predictions/Prediction.ts"
export { readPredictions } from "./predictions/readPredictions.ts"
export {
  type CutCell,
  type PredictionFormat,
  predictionFormatOf,
  predictionFormats,
  writePredictions,
  xlsxCellLimit
} from "./predictions/writePredictions.ts"
export { Answerer, type AnswerRequest } from "./run/Answerer.ts"
export { type Evaluated, evaluate } from "./run/evaluate.ts"
export { type Journal, type JournalEntry, type JournalKey, openJournal } from "./run/Journal.ts"
export type { Progress } from "./run/Progress.ts"
export { questionDigest } from "./run/questionDigest.ts"
export { type EvaluateOptions, isPublished, requestOf } from "./run/questions.ts"
export { evaluateShard, type MergeOptions, mergeShards, type Shard, type ShardEvaluated } from "./run/shards.ts"
export { expectedAnswer } from "./scoring/expectedAnswer.ts"
export { accuracy, type Mark, type Marks, type RowMark, summarize } from "./scoring/Marks.ts"
export { markChoices } from "./scoring/markChoices.ts"
export { differenceOf, type Interval, type Paired, pairedDifference, wilson } from "./scoring/proportions.ts"
export { renderScore } from "./scoring/renderScore.ts"
export {
  requireScorable,
  type Score,
  type ScoredRow,
  type ScoreOptions,
  score,
  scoreWithMarks
} from "./scoring/Score.ts"
export { accuracyFile, type ScoreFile } from "./scoring/ScoreFile.ts"
export { type ScoreFiles, writeScore } from "./scoring/writeScore.ts"
