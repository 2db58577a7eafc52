/** Distillation: losses over the vocabulary, composed by addition. */
export { type CakldOptions, cakld } from "./cakld.ts"
export { type CrossEntropyOptions, crossEntropy } from "./crossEntropy.ts"
export { LabelsMismatch, TeacherMissing } from "./Errors.ts"
export {
  allRows,
  ignoredLabel,
  type Labels,
  labelledRows,
  predictedLabel,
  predictingRows,
  type RowWeights
} from "./Labels.ts"
export { type RowBatch, type RowLoss, weighted } from "./RowLoss.ts"
export { meanConfidence, teacherConfidence } from "./teacherConfidence.ts"
export { type LanguageHead, type VocabularyLoss, type VocabularyLossOptions, vocabularyLoss } from "./vocabularyLoss.ts"
