/** Writes everything of the nano data set that is made rather than trained: `main.ts --out data/nano [--seed 1]`. */
import { mkdir, rm, writeFile } from "node:fs/promises"
import { join } from "node:path"
import { parseArgs } from "node:util"
import { writeTokenizer } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
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
const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`
const jsonLines = (records: ReadonlyArray<unknown>): string =>
  records.map((record) => `${JSON.stringify(record)}\n`).join("")
const png = (scene: Scene): Promise<Buffer> => encodePng(renderScene(scene))

for (const folder of ["images", "evaluation", "tokenizer", "config"]) {
  await rm(join(out, folder), { recursive: true, force: true })
  await mkdir(join(out, folder), { recursive: true })
}

const parts = makeVocabulary(dataSetWords())
await Effect.runPromise(writeTokenizer(join(out, "tokenizer"), parts))
await write(
  "config/config.json",
  json(modelConfig(parts.vocabulary.size + parts.addedTokens.length, parts.vocabulary.size))
)
await write("config/preprocessor_config.json", json(preprocessorConfig))

const samples = trainingSamples(seed)
const records = trainingRecords(samples)
for (const [index, { image }] of records.entries()) await write(image, await png(samples[index]!.scene))
await write("train.jsonl", jsonLines(records))
const meta = { root: ".", annotation: "train.jsonl", data_augment: false, repeat_time: 1, length: records.length }
await write("datasets.json", json({ nano: meta }))
await write("calibration.jsonl", jsonLines(calibrationTexts(seed)))
await write("calibration-images.txt", calibrationImageNames.map((name) => `${name}\n`).join(""))

for (const [name, items] of Object.entries(evaluationSets(seed))) {
  const images: Array<Buffer> = []
  for (const { scene } of items) images.push(await png(scene))
  await write(`evaluation/${name}.tsv`, evaluationTsv(items, images))
}
