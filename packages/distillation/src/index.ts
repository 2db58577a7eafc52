/** Distillation: losses over the vocabulary, composed by addition. */

export { LabelsMismatch, TeacherMissing } from "./Errors.ts"
export { type CakldOptions, cakld } from "./losses/cakld.ts"
export { type CrossEntropyOptions, crossEntropy } from "./losses/crossEntropy.ts"
export { type RowBatch, type RowLoss, weighted } from "./losses/RowLoss.ts"
export {
  allRows,
  ignoredLabel,
  type Labels,
  labelledRows,
  predictedLabel,
  predictingRows,
  type RowWeights
} from "./vocabulary/Labels.ts"
export { meanConfidence, teacherConfidence } from "./vocabulary/teacherConfidence.ts"
export {
  type LanguageHead,
  type VocabularyLoss,
  type VocabularyLossOptions,
  vocabularyLoss
} from "./vocabulary/vocabularyLoss.ts"
