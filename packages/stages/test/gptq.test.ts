/** GPTQ as a stage: what it quantizes, what its Hessians see, that it goes on where it was, and what it refuses. */
import { mkdirSync } from "node:fs"
import { join } from "node:path"
import { Safetensors } from "@speedq/formats"
import { RunEvents } from "@speedq/pipeline"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { pictureRecord, writeMiniData } from "./support/miniData.ts"
import { eventsOfKind, makeNanoRuns, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("gptq", runs)

const records = (name: string, pictures: readonly number[]): string => {
  mkdirSync(join(root, name))
  return writeMiniData(
    join(root, name),
    pictures.map((number) => pictureRecord(number))
  )
}
const meta = records("data", [1, 2, 3, 4, 5, 6])
const { adaround } = shortStages
const [everything] = adaround.quantizers
const decoderRule = { ...everything, tower: "language" }
const [towerLayers, decoderLayers] = [3 * 4, 5 * 7]
const gptq = (more: object = {}) => ({ use: "gptq", calibration: { meta }, quantizers: [everything], ...more })
const recipe = (stages: readonly object[]) => ({ version: 1, name: "gptq", model, seed: 3, stages })

let directories = 0
const run = async (...stages: readonly object[]) => {
  const directory = join(root, `run-${directories++}`)
  const { exit, entries } = await runs.run(recipe(stages), directory)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return { directory, entries }
}
const failure = async (...stages: readonly object[]): Promise<string> => {
  const { exit } = await runs.run(recipe(stages), join(root, `run-${directories++}`))
  return Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : assert.fail("it succeeded")
}

/** Codes of the layers that a file holds packed, by layer. */
const codesIn = (directory: string, file: string): { readonly [layer: string]: string } => {
  const store = Safetensors.openSync(join(directory, `${file}.safetensors`))
  const entries = [...store.tensors.keys()].filter((entry) => entry.endsWith(".weight.codes"))
  const codes = entries.map((entry) => {
    const bytes = new Uint8Array(store.tensors.get(entry)!.shape[0]!)
    store.readInto(entry, bytes)
    return [entry.slice(0, -".weight.codes".length), Buffer.from(bytes).toString("base64")] as const
  })
  store.close()
  return Object.fromEntries(codes)
}
const towerOf = (directory: string, place = "01-gptq") => codesIn(directory, `stages/${place}/quantizedVision`)
const decoderOf = (directory: string, place = "01-gptq") => codesIn(directory, `stages/${place}/quantizedLanguage`)
const layersOf = (codes: object) => Object.keys(codes).length

describe("gptq", () => {
  it("quantizes tower and decoder, each layer better than rounding to nearest does, and exports hold its codes", async () => {
    const { directory, entries } = await run(gptq(), { use: "export", format: "packed" })
    const facts = eventsOfKind(RunEvents.LayerQuantized, entries)
    assert.lengthOf(facts, towerLayers + decoderLayers)
    for (const { layer, errorBefore, errorAfter } of facts) assert.isBelow(errorAfter!, errorBefore!, layer)
    const [tower, decoder] = [towerOf(directory), decoderOf(directory)]
    assert.deepStrictEqual([layersOf(tower), layersOf(decoder)], [towerLayers, decoderLayers])
    const exported = codesIn(directory, "model/packed/model")
    for (const [layer, codes] of Object.entries({ ...tower, ...decoder })) assert.strictEqual(exported[layer], codes)
  })

  it("sees the images: the same words about other pictures give other codes, the same ones the same", async () => {
    const codes = async (name: string, pictures: readonly number[]) => {
      const { directory } = await run(gptq({ calibration: { meta: records(name, pictures) }, samples: 4 }))
      return { ...towerOf(directory), ...decoderOf(directory) }
    }
    const [one, again, other] = [
      await codes("one", [1, 2, 3, 4]),
      await codes("again", [1, 2, 3, 4]),
      await codes("other", [11, 12, 13, 14])
    ]
    assert.deepStrictEqual(again, one)
    for (const layer of Object.keys(one)) assert.notStrictEqual(other[layer], one[layer], layer)
  })

  it("leaves alone what its rules do not name, and reads what stages before made of it", async () => {
    const tower = { ...adaround, iterations: 0 }
    const { directory } = await run(tower, gptq({ quantizers: [decoderRule] }))
    assert.deepStrictEqual(towerOf(directory, "02-gptq"), towerOf(directory, "01-adaround-vit"))
    const { directory: alone } = await run(gptq({ quantizers: [decoderRule] }))
    assert.deepStrictEqual([layersOf(towerOf(alone)), layersOf(decoderOf(alone))], [0, decoderLayers])
    assert.notDeepEqual(decoderOf(directory, "02-gptq"), decoderOf(alone))
    // A layer reads what the quantized layers before it give.
    const second = { ...decoderRule, match: "language_model.model.layers.1.**" }
    const { directory: single } = await run(gptq({ quantizers: [second] }))
    assert.lengthOf(Object.keys(decoderOf(single)), 7)
    for (const [layer, codes] of Object.entries(decoderOf(single))) {
      assert.notStrictEqual(decoderOf(alone)[layer], codes, layer)
    }
    // By itself it quantizes the tower anew, whatever was made of it before.
    const { directory: anew } = await run(tower, gptq())
    assert.deepStrictEqual(towerOf(anew, "02-gptq"), towerOf((await run(gptq())).directory))
  })

  it("quantizes the projector where it is told to", async () => {
    const projector = [{ ...everything, tower: "projector" }]
    const { directory } = await run(gptq({ quantizers: projector, quantizeProjector: true }))
    assert.deepStrictEqual(Object.keys(decoderOf(directory)), ["mlp1.1", "mlp1.3"])
  })

  it("goes on after interruptions in tower and decoder with the same bytes, wherever tiles are kept", async () => {
    const { directory: whole } = await run(gptq())
    const directory = join(root, "interrupted")
    const stage = gptq({ cache: "1 B" })
    for (const step of [1, 5]) {
      const { exit } = await runs.run(recipe([stage]), directory, { stage: "01-gptq", step })
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }
    const { exit } = await runs.run(recipe([stage]), directory)
    assert.isTrue(Exit.isSuccess(exit))
    assert.deepStrictEqual([towerOf(directory), decoderOf(directory)], [towerOf(whole), decoderOf(whole)])
    assert.notInclude(Object.keys(resultsOf(directory)).join(), "tiles.cache")
  })

  it("says so where there are no pictures for the tower; the decoder does with texts", async () => {
    mkdirSync(join(root, "texts"))
    const texts = writeMiniData(
      join(root, "texts"),
      Array.from({ length: 4 }, (_, at) => ({ question: "What comes next?", answer: `number ${at}` }))
    )
    const calibration = { meta: texts }
    assert.match(await failure(gptq({ calibration })), /mini\.json has no pictures to calibrate the vision tower/)
    const { directory } = await run(gptq({ calibration, quantizers: [decoderRule] }))
    assert.strictEqual(layersOf(decoderOf(directory)), decoderLayers)
  })

  it("refuses what cannot be done, before any work", async () => {
    assert.match(await failure(gptq({ staticGroups: false })), /actOrder takes columns of all groups in turn/)
    const dynamic = { staticGroups: false, actOrder: false }
    assert.match(await failure(gptq(dynamic)), /turn staticGroups on for .*attn.qkv \(bilevel\)/)
    const codebook = [{ match: "**", use: "n2f3", with: { group: 32 } }]
    assert.match(await failure(gptq({ quantizers: codebook })), /GPTQ needs a quantizer with a grid/)
    const flat = [{ match: "**", tower: "language", use: "uniform", with: { bits: 2, group: 16 } }]
    const { directory } = await run(gptq({ quantizers: flat, ...dynamic }))
    const { directory: fixed } = await run(gptq({ quantizers: flat, actOrder: false }))
    assert.notDeepEqual(decoderOf(directory), decoderOf(fixed))
  })
})
