/** Generator of the nano data set: unlimited fresh samples from a seed, and what the shipped files are made of. */
export {
  calibrationImageNames,
  calibrationTexts,
  evaluationSets,
  shippedSeed,
  trainingRecords,
  trainingSamples
} from "./dataset.ts"
export { encodePng } from "./encodePng.ts"
export { captionItems, type EvaluationItem, evaluationTsv, shortItems } from "./evaluation.ts"
export { modelConfig, preprocessorConfig } from "./modelConfig.ts"
export type { Language } from "./Phrasebook.ts"
export {
  answerText,
  type PromptStyle,
  phrasebooks,
  promptText,
  type Question,
  question,
  type Wanted
} from "./questions.ts"
export { imageSize, renderScene } from "./renderScene.ts"
export { type Cell, hanzi, makeScene, type Scene, type Split, sceneKey, splitOf } from "./Scene.ts"
export { conversation, type Message, type Mixture, makeSample, mixtures, type Sample, type Turn } from "./sample.ts"
export { choiceLetters, evaluatedTypes, type TaskType, tasks, taskTypes } from "./tasks.ts"
export { makeVocabulary } from "./vocabulary.ts"
export { dataSetWords } from "./words.ts"
