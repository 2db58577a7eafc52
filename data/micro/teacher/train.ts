/**
 * Trains the micro teacher from scratch on fresh scenes:
 *   node --import tsx -C @speedq/source data/micro/teacher/train.ts --out data/micro/model
 * Saves its state every 500 steps and continues from it.
 */
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import type { BackendName } from "@speedq/tensors"
import { writeTokenizer } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { json } from "../../common/datasetFolder.ts"
import { trainTeacher } from "../../common/teacher/trainTeacher.ts"
import { makeVocabulary } from "../../common/vocabulary.ts"
import { dataSetWords, modelConfig, preprocessorConfig } from "../generator/index.ts"
import { freshBatch } from "./batches.ts"
import { partOf, rateOf, totalSteps } from "./curriculum.ts"
import { accuracies } from "./probe.ts"

const { values: flags } = parseArgs({
  options: {
    out: { type: "string", default: "data/micro/model" },
    backend: { type: "string", default: "native" },
    seed: { type: "string", default: "1" },
    batch: { type: "string", default: "16" }
  }
})
const seed = Number(flags.seed)
const batchSize = Number(flags.batch)

const parts = makeVocabulary(dataSetWords())
mkdirSync(flags.out, { recursive: true })
await Effect.runPromise(writeTokenizer(flags.out, parts))
writeFileSync(
  join(flags.out, "config.json"),
  json(modelConfig(parts.vocabulary.size + parts.addedTokens.length, parts.vocabulary.size))
)
writeFileSync(join(flags.out, "preprocessor_config.json"), json(preprocessorConfig))

await trainTeacher({
  out: flags.out,
  backend: flags.backend as BackendName,
  seed,
  totalSteps,
  rateOf,
  batchOf: (directory, step) => freshBatch(directory, partOf(step), seed, step, batchSize),
  probe: (directory, weights) => accuracies(directory, weights, 64, true),
  stored: "bf16",
  every: { report: 50, save: 500 }
})
