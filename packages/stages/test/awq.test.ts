/** AWQ as a stage: what it gives, that it goes on where it was, and what its search sees. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { Safetensors } from "@speedq/formats"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { pictureRecord, writeMiniData } from "./support/miniData.ts"
import { evaluation, makeNanoRuns, nanoData, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("awq", runs)
mkdirSync(join(root, "data"))
const meta = writeMiniData(
  join(root, "data"),
  [1, 2, 3, 4].map((number) => pictureRecord(number))
)
const { adaround } = shortStages
const awq = (more: object = {}) => ({
  ...{ use: "awq", calibration: { meta }, steps: 6, quantizers: adaround.quantizers },
  ...more
})

let directories = 0
const run = async (stages: readonly object[], of: string = model) => {
  const directory = join(root, `run-${directories++}`)
  const { exit } = await runs.run({ version: 1, name: "awq", model: of, seed: 3, stages }, directory)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return { directory, value: exit.value as { readonly evaluations: ReadonlyArray<{ readonly scores: object }> } }
}
/** Stored codes by entry. */
const codesOf = (directory: string): { readonly [entry: string]: string } => {
  const store = Safetensors.openSync(join(directory, "stages/01-awq/quantizedLanguage.safetensors"))
  const names = [...store.tensors.keys()].filter((name) => name.endsWith(".codes"))
  const codes = names.map((name) => [name, Buffer.from(store.read(name)).toString("base64")] as const)
  store.close()
  return Object.fromEntries(codes)
}
const entriesOf = (directory: string, place = "01-awq") => {
  const store = Safetensors.openSync(join(directory, "stages", place, "quantizedLanguage.safetensors"))
  const names = [...store.tensors.keys()]
  store.close()
  return names
}
const bytesOf = (directory: string, place = "01-awq") =>
  resultsOf(directory)[`stages/${place}/quantizedLanguage.safetensors`]

describe("awq", () => {
  it("packs the decoder, and gives the norms that took the scales in", async () => {
    const { directory } = await run([awq(), { use: "export", format: "packed" }, evaluation("AWQ")])
    const entries = entriesOf(directory)
    assert.lengthOf(
      entries.filter((name) => name.endsWith(".weight.codes")),
      5 * 7
    )
    const changed = entries.filter((name) => name.startsWith("parameter."))
    assert.lengthOf(changed, 5 * 2)
    for (const name of changed) assert.match(name, /layernorm\.weight$/)
  })

  it("hardly changes the model at 8 bits: whatever the scales, they cancel", async () => {
    const uniform = [{ match: "**", use: "uniform", with: { bits: 8, group: 32 } }]
    const { value } = await run(
      [awq({ quantizers: uniform, embeddings: null }), evaluation("AWQ", { divergence: 4 })],
      join(nanoData, "model")
    )
    const [{ scores }] = value.evaluations as readonly [
      { readonly scores: ReadonlyArray<{ readonly divergence: number }> }
    ]
    for (const { divergence } of scores) assert.isBelow(divergence, 1e-4)
  })

  it("reads what stages before made of the tower, and its options change what it gives", async () => {
    const [plain, again, staged, unclipped, unscaled] = [
      bytesOf((await run([awq()])).directory),
      bytesOf((await run([awq()])).directory),
      bytesOf((await run([{ ...adaround, iterations: 0 }, awq()])).directory, "02-awq"),
      bytesOf((await run([awq({ clip: false })])).directory),
      bytesOf((await run([awq({ steps: 1 })])).directory)
    ]
    assert.strictEqual(again, plain)
    assert.lengthOf([...new Set([plain, staged, unclipped, unscaled])], 4)
  })

  it("searches a layer on what the layers before it give in full precision", async () => {
    const [rule] = adaround.quantizers
    const second = [{ ...rule, match: "language_model.model.layers.1.**" }]
    const { directory: single } = await run([awq({ quantizers: second })])
    const { directory: whole } = await run([awq()])
    const [one, all] = [codesOf(single), codesOf(whole)]
    assert.lengthOf(Object.keys(one), 7)
    for (const [layer, codes] of Object.entries(one)) assert.strictEqual(all[layer], codes, layer)
  })

  it("goes on after interruptions with the same bytes", async () => {
    const { directory: whole } = await run([awq()])
    const directory = join(root, "interrupted")
    const recipe = { version: 1, name: "awq", model, seed: 3, stages: [awq()] }
    for (const step of [1, 3]) {
      const { exit } = await runs.run(recipe, directory, { stage: "01-awq", step })
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }
    assert.isTrue(Exit.isSuccess((await runs.run(recipe, directory)).exit))
    assert.strictEqual(bytesOf(directory), bytesOf(whole))
  })
})
