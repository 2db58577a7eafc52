/** Where training starts: from the model, or from what a stage before quantized. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { pictureRecord, writeMiniData } from "./support/miniData.ts"
import { makeNanoRuns, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"
import { savedNumbers } from "./support/savedNumbers.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("start", runs)
mkdirSync(join(root, "data"))
const meta = writeMiniData(
  join(root, "data"),
  [1, 2, 3].map((number) => pictureRecord(number))
)
const { qat, adaround } = shortStages
const gptq = { use: "gptq", calibration: { meta }, quantizers: adaround.quantizers }
/** A step that moves nothing: what is left is where training started. */
const still = { ...qat, maxSteps: 1, learningRate: 0, weightDecay: 0, embeddings: null }

let directories = 0
const run = async (...stages: readonly object[]) => {
  const directory = join(root, `run-${directories++}`)
  const { exit } = await runs.run({ version: 1, name: "start", model, seed: 3, stages }, directory)
  return { directory, exit }
}
const succeed = async (...stages: readonly object[]): Promise<string> => {
  const { directory, exit } = await run(...stages)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return directory
}

const name = "language_model.model.layers.1.mlp.down_proj.weight"
/** The weight as training left it. */
const trained = (directory: string, place: string) =>
  savedNumbers(join(directory, "stages", place, "quantizedLanguage.safetensors"), `parameter.${name}`)
/** The weight as an export of the run has it. */
const exported = (directory: string) => savedNumbers(join(directory, "model/fake-quant-f32/model.safetensors"), name)

describe("start", () => {
  it("model: the original weights, whatever was quantized before", async () => {
    const original = savedNumbers(join(model, "model.safetensors"), name)
    assert.deepStrictEqual(trained(await succeed(still), "01-qat"), original)
    assert.deepStrictEqual(trained(await succeed(gptq, still), "02-qat"), original)
  })

  it("quantized: the weights that the stage before gave, to the bit; ranges of a clipping search are left out", async () => {
    const full = { use: "export", format: "fake-quant", rest: "f32", with: { dtype: "f32" } }
    const given = exported(await succeed({ ...gptq, embeddings: null }, full))
    const begun = await succeed({ ...gptq, embeddings: null }, shortStages.autoclip, { ...still, start: "quantized" })
    assert.deepStrictEqual(trained(begun, "03-qat"), given)
  })

  it("quantized, after training: the trained weights", async () => {
    const moved = { ...qat, maxSteps: 2 }
    const directory = await succeed(moved, { ...still, start: "quantized" })
    assert.deepStrictEqual(trained(directory, "02-qat-2"), trained(directory, "01-qat"))
  })

  it("quantized is refused where nothing was quantized before, by the plan and by the run", async () => {
    const { exit } = await run({ ...still, start: "quantized" })
    const failure = Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : assert.fail("it succeeded")
    assert.include(failure, 'start is "quantized", but no stage before quantizes the language model')
  })
})
