/** Writes everything of the micro data set that is made rather than trained: `main.ts --out DIRECTORY [--seed 1]`. */
import { writeFile } from "node:fs/promises"
import { join } from "node:path"
import { emptyFolders, generatorFlags, writeTrainingSet } from "../../common/datasetFolder.ts"
import { encodePng } from "../../common/encodePng.ts"
import { evaluationTsv, tsv } from "../../common/evaluation.ts"
import { benchmarkFiles } from "./benchmarks.ts"
import {
  calibrationImageNames,
  calibrationTexts,
  evaluationSets,
  shippedSeed,
  trainingPicture,
  trainingRecords,
  trainingSamples
} from "./dataset.ts"
import { renderScene } from "./renderScene.ts"
import { type Scene, splits } from "./Scene.ts"

const { out, seed } = generatorFlags(shippedSeed)
const write = (name: string, content: string | Uint8Array): Promise<void> => writeFile(join(out, name), content)
const png = (scene: Scene): Promise<Buffer> => encodePng(renderScene(scene))

await emptyFolders(out, ["images", "evaluation", "held-out"])

const samples = trainingSamples(seed)
await writeTrainingSet(out, {
  name: "micro",
  records: trainingRecords(samples),
  picture: (index) => encodePng(trainingPicture(samples[index]!, index)),
  calibrationTexts: calibrationTexts(seed),
  calibrationImages: calibrationImageNames
})

for (const split of splits) {
  if (split === "train") continue
  for (const [name, items] of Object.entries(evaluationSets(seed, split))) {
    const images: Array<Buffer> = []
    for (const { scene } of items) images.push(await png(scene))
    await write(`${split}/${name}.tsv`, evaluationTsv(items, images))
  }
  for (const { name, columns, rows } of benchmarkFiles(seed, split)) {
    const filled: Array<Readonly<Record<string, string>>> = []
    for (const { scene, cells } of rows) filled.push({ ...cells, image: (await png(scene)).toString("base64") })
    await write(`${split}/${name}.tsv`, tsv([...columns, "image"], filled))
  }
}
