/** Generator of the nano data set: unlimited fresh samples from a seed, and what the shipped files are made of. */
export {
  calibrationImageNames,
  calibrationTexts,
  evaluationSets,
  shippedSeed,
  trainingRecords,
  trainingSamples
} from "./dataset.ts"
export { captionItems, type EvaluationItem, shortItems } from "./evaluation.ts"
export { modelConfig, preprocessorConfig } from "./modelConfig.ts"
export { answerText, promptText, type Question, question } from "./questions.ts"
export { imageSize, renderScene } from "./renderScene.ts"
export { type Cell, hanzi, makeScene, type Scene, type Split, sceneKey, splitOf } from "./Scene.ts"
export { conversation, type Mixture, makeSample, mixtures, type Sample } from "./sample.ts"
export { evaluatedTypes, type TaskType, tasks, taskTypes } from "./tasks.ts"
export { dataSetWords } from "./words.ts"
