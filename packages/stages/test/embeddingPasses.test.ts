/** Under `compat: "reference"` every stage sees embedding and head quantized as often as the reference has then (quirk 3). */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { Safetensors } from "@speedq/formats"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { pictureRecord, writeMiniData } from "./support/miniData.ts"
import { makeNanoRuns, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"
import { savedNumbers } from "./support/savedNumbers.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("embedding-passes", runs)
mkdirSync(join(root, "data"))
const meta = writeMiniData(
  join(root, "data"),
  [1, 2, 3].map((number) => pictureRecord(number))
)
const quick = { ...shortStages.adaround, iterations: 0 }
const briefly = { data: { meta }, batch: 3, accumulation: 1, maxSteps: 1, compat: "reference", lastStep: "keep" }
/** AdamW's first step is nearly the sign of the gradient, which says little of the weights: three steps. */
const projector = { ...shortStages.projector, ...briefly, epochs: 3, maxSteps: 3 }
const qat = { ...shortStages.qat, ...briefly, loss: {} }
const seen = (requantizePasses: number) => ({ embeddings: { use: "embedding-sym4", with: { requantizePasses } } })

let directories = 0
const run = async (...stages: readonly object[]): Promise<string> => {
  const directory = join(root, `run-${directories++}`)
  const { exit } = await runs.run({ version: 1, name: "passes", model, seed: 3, stages }, directory)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return directory
}

/** Every tensor of a file of the run, by name; of `only`, where it is given. */
const tensorsOf = (directory: string, file: string, only = ""): ReadonlyMap<string, Uint8Array> => {
  const store = Safetensors.openSync(join(directory, file))
  const names = [...store.tensors.keys()].filter((name) => name.includes(only))
  assert.isNotEmpty(names)
  const all = new Map(names.map((name) => [name, Uint8Array.from(store.read(name))]))
  store.close()
  return all
}

const embedding = "language_model.model.embed_tokens.weight"
const largest = (directory: string): number =>
  savedNumbers(join(directory, "model/fake-quant-f32/model.safetensors"), embedding).reduce(
    (most, number) => Math.max(most, Math.abs(number)),
    0
  )

describe("the embedding under compat reference", () => {
  it("is quantized once for the stage that trains the projector", async () => {
    const of = async (more: object) =>
      tensorsOf(await run(quick, { ...projector, ...more }), "stages/02-train-projector/projector.safetensors")
    const trained = await of({})
    assert.deepStrictEqual(trained, await of(seen(1)))
    assert.notDeepEqual(trained, await of(seen(2)))
  })

  it("is quantized twice for the ranges and the training of the language model, and three times in the result", async () => {
    const { autoclip } = shortStages
    const full = { use: "export", format: "fake-quant", rest: "f32", with: { dtype: "f32" } }
    const of = (more: object) => run({ ...autoclip, ...more, compat: "reference" }, { ...qat, ...more }, full)
    const ranges = "stages/01-autoclip/clipping.safetensors"
    const language = (directory: string) =>
      tensorsOf(directory, "stages/02-qat/quantizedLanguage.safetensors", "parameter.language_model.model.layers")
    const [alone, twice, three] = [await of({}), await of(seen(2)), await of(seen(3))]
    assert.deepStrictEqual(tensorsOf(alone, ranges), tensorsOf(twice, ranges))
    assert.notDeepEqual(tensorsOf(alone, ranges), tensorsOf(three, ranges))
    assert.deepStrictEqual(language(alone), language(twice))
    assert.notDeepEqual(language(alone), language(three))
    assert.strictEqual(largest(alone), largest(three))
    assert.closeTo(largest(alone) / largest(twice), 14 / 15, 1e-3)
  })
})
