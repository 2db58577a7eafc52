/** Writes everything of the micro data set that is made rather than trained: `main.ts --out DIRECTORY [--seed 1]`. */
import { mkdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { encodePng } from "../../common/encodePng.ts"
import { evaluationTsv, tsv } from "../../common/evaluation.ts"
import { benchmarkFiles } from "./benchmarks.ts"
import {
  calibrationImageNames,
  calibrationTexts,
  evaluationSets,
  shippedSeed,
  trainingRecords,
  trainingSamples
} from "./dataset.ts"
import { renderScene } from "./renderScene.ts"
import { type Scene, splits } from "./Scene.ts"

const { values } = parseArgs({
  options: { out: { type: "string" }, seed: { type: "string", default: String(shippedSeed) } }
})
if (values.out === undefined || !/^\d+$/.test(values.seed)) {
  console.error("usage: main.ts --out DIRECTORY [--seed WHOLE_NUMBER]")
  process.exit(2)
}
const out = values.out
const seed = Number(values.seed)

const write = (name: string, content: string | Uint8Array): Promise<void> => writeFile(join(out, name), content)
const jsonLines = (records: ReadonlyArray<unknown>): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join("")
const png = (scene: Scene): Promise<Buffer> => encodePng(renderScene(scene))

for (const folder of ["images", "evaluation", "held-out"]) {
  await rm(join(out, folder), { recursive: true, force: true })
  await mkdir(join(out, folder), { recursive: true })
}

const samples = trainingSamples(seed)
const records = trainingRecords(samples)
for (const [index, { image }] of records.entries()) await write(image, await png(samples[index]!.scene))
await write("train.jsonl", jsonLines(records))
const meta = { root: ".", annotation: "train.jsonl", data_augment: false, repeat_time: 1, length: records.length }
await write("datasets.json", `${JSON.stringify({ micro: meta }, null, 2)}\n`)
await write("calibration.jsonl", jsonLines(calibrationTexts(seed)))
await write("calibration-images.txt", calibrationImageNames.map((name) => `${name}\n`).join(""))

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
