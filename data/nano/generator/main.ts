/** Writes everything of the nano data set that is made rather than trained: `main.ts --out data/nano [--seed 1]`. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { writeTokenizer } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { emptyFolders, generatorFlags, json, writeTrainingSet } from "../../common/datasetFolder.ts"
import { encodePng } from "../../common/encodePng.ts"
import { evaluationTsv } from "../../common/evaluation.ts"
import { makeVocabulary } from "../../common/vocabulary.ts"
import {
  calibrationImageNames,
  calibrationTexts,
  evaluationSets,
  shippedSeed,
  trainingRecords,
  trainingSamples
} from "./dataset.ts"
import { modelConfig, preprocessorConfig } from "./modelConfig.ts"
import { renderScene } from "./renderScene.ts"
import type { Scene } from "./Scene.ts"
import { dataSetWords } from "./words.ts"

const { out, seed } = generatorFlags(shippedSeed)
const write = (name: string, content: string | Uint8Array): Promise<void> => writeFile(join(out, name), content)
const png = (scene: Scene): Promise<Buffer> => encodePng(renderScene(scene))

await emptyFolders(out, ["images", "evaluation", "tokenizer", "config"])

const parts = makeVocabulary(dataSetWords())
await Effect.runPromise(writeTokenizer(join(out, "tokenizer"), parts))
await write(
  "config/config.json",
  json(modelConfig(parts.vocabulary.size + parts.addedTokens.length, parts.vocabulary.size))
)
await write("config/preprocessor_config.json", json(preprocessorConfig))

const samples = trainingSamples(seed)
await writeTrainingSet(out, {
  name: "nano",
  records: trainingRecords(samples),
  picture: (index) => png(samples[index]!.scene),
  calibrationTexts: calibrationTexts(seed),
  calibrationImages: calibrationImageNames
})

for (const [name, items] of Object.entries(evaluationSets(seed))) {
  const images: Array<Buffer> = []
  for (const { scene } of items) images.push(await png(scene))
  await write(`evaluation/${name}.tsv`, evaluationTsv(items, images))
}
