/** Generator of the micro data set: unlimited fresh samples from a seed. */
export { enlarged } from "./enlarged.ts"
export { modelConfig, preprocessorConfig } from "./modelConfig.ts"
export { answerText, promptText, question } from "./questions.ts"
export { renderScene, shownTiles, tileSize } from "./renderScene.ts"
export { type Cell, type Draw, makeScene, type Scene, type Split, sceneKey, splitOf } from "./Scene.ts"
export { allThings, conversation, type Mixture, makeSample, mixtures, type Sample } from "./sample.ts"
export { evaluatedTypes, type TaskType, tasks, taskTypes } from "./tasks.ts"
export { dataSetWords } from "./words.ts"
