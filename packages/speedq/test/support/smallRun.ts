/** A random nano model and a recipe that quantizes it in seconds. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { Events } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import { writeRandomModel } from "../../src/init/writeRandomModel.ts"
import { shippedNano } from "../../src/shipped/shipped.ts"

/** Makes the model in `directory`/model. */
export const randomNano = async (directory: string): Promise<string> => {
  const model = join(directory, "model")
  await Effect.runPromise(Effect.provide(writeRandomModel("nano", { seed: 11, directory: model }), Events.layer))
  return model
}

const quantizers = [{ match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 4 } }]
const short = join(shippedNano, "evaluation", "short.tsv")
const training = { meta: join(shippedNano, "datasets.json"), percent: 1 }

export const evaluateStage = (title: string) => ({
  use: "evaluate",
  title,
  benchmarks: [{ name: "nano", data: short, limit: 2 }]
})

/** Stages 1 to 3 at a few steps. */
export const speedqStages = (qatSteps: number) => [
  {
    use: "adaround-vit",
    images: join(shippedNano, "calibration-images.txt"),
    count: 4,
    batch: 2,
    iterations: 2,
    quantizers
  },
  { use: "train-projector", data: training, accumulation: 1, maxSteps: 2 },
  { use: "qat", data: training, accumulation: 1, maxSteps: qatSteps, quantizers }
]

/** Writes a recipe file beside the model; it saves after every step. `named` is what the recipe calls the model. */
export const writeRecipe = (model: string, stages: readonly object[], name = "small", named = model): string => {
  const file = join(model, "..", `${name}.json`)
  writeFileSync(file, JSON.stringify({ version: 1, name, model: named, seed: 3, save: { everySteps: 1 }, stages }))
  return file
}
