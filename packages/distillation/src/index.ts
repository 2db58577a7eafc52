/** Distillation: losses over the vocabulary, composed by addition. */

export { HiddenMismatch, LabelsMismatch, LossOptionsInvalid, TeacherMissing, UnknownLoss } from "./Errors.ts"
export { CakldConfig, type CakldOptions, cakld, cakldLoss } from "./losses/cakld.ts"
export { CrossEntropyConfig, type CrossEntropyOptions, crossEntropy, crossEntropyLoss } from "./losses/crossEntropy.ts"
export { hiddenDistance, hiddenPart } from "./losses/hiddenDistance.ts"
export type { Loss, LossChoice, LossContext } from "./losses/Loss.ts"
export { type RowBatch, type RowLoss, weighted } from "./losses/RowLoss.ts"
export { decodeLoss, type LossSpec, losses } from "./losses/registry.ts"
export {
  allRows,
  type Labels,
  labelledRows,
  predictedLabel,
  predictingRows,
  type RowWeights,
  rowsUpToLabels
} from "./vocabulary/Labels.ts"
export { meanConfidence, teacherConfidence } from "./vocabulary/teacherConfidence.ts"
export {
  type LanguageHead,
  type VocabularyLoss,
  type VocabularyLossOptions,
  vocabularyLoss
} from "./vocabulary/vocabularyLoss.ts"
