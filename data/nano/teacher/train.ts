/**
 * Trains the nano teacher from scratch on fresh scenes:
 *   node --import tsx -C @speedq/source data/nano/teacher/train.ts --out data/nano/model
 * Saves its state every thousand steps and continues from it.
 */
import { copyFileSync, mkdirSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { parseArgs } from "node:util"
import type { BackendName } from "@speedq/tensors"
import { trainTeacher } from "../../common/teacher/trainTeacher.ts"
import { freshBatch } from "./batches.ts"
import { mixtureOf, rateOf, totalSteps } from "./curriculum.ts"
import { accuracies } from "./probe.ts"

const { values: flags } = parseArgs({
  options: {
    out: { type: "string", default: "data/nano/model" },
    data: { type: "string", default: "data/nano" },
    backend: { type: "string", default: "native" },
    seed: { type: "string", default: "1" },
    batch: { type: "string", default: "16" }
  }
})
const seed = Number(flags.seed)
const batchSize = Number(flags.batch)

// Config and tokenizer into the model's directory, in the hub's layout.
mkdirSync(flags.out, { recursive: true })
for (const folder of ["config", "tokenizer"]) {
  for (const file of readdirSync(join(flags.data, folder))) {
    copyFileSync(join(flags.data, folder, file), join(flags.out, file))
  }
}

await trainTeacher({
  out: flags.out,
  backend: flags.backend as BackendName,
  seed,
  totalSteps,
  rateOf,
  batchOf: (directory, step) => freshBatch(directory, mixtureOf(step), seed, step, batchSize),
  probe: (directory, weights) => accuracies(directory, weights, 100),
  stored: "f32",
  every: { report: 200, save: 1000 }
})
