/** The clipping search on records with images: what they show counts, and stages before it that images pass through. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { Safetensors } from "@speedq/formats"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { writeMiniData } from "./support/miniData.ts"
import { makeNanoRuns, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"
import { asZstandard } from "./support/zstandard.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("autoclip", runs)

/** A meta file of records that say the same about these pictures. */
const records = (name: string, pictures: readonly number[]): string => {
  mkdirSync(join(root, name))
  const record = (number: number) => ({
    image: `images/${String(number).padStart(4, "0")}.png`,
    question: "What color is the north object?",
    answer: "red"
  })
  return writeMiniData(join(root, name), pictures.map(record))
}

const { adaround, projector, autoclip, qat } = shortStages
const on = (meta: string) => ({ ...autoclip, calibration: { meta }, documents: 4, sampleTokens: 64 })
const recipe = (...stages: readonly object[]) => ({ version: 1, name: "autoclip", model, seed: 3, stages })

let directories = 0
const succeed = async (...stages: readonly object[]): Promise<string> => {
  const directory = join(root, `run-${directories++}`)
  const { exit } = await runs.run(recipe(...stages), directory)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return directory
}
const rangesOf = (directory: string, place: string): string =>
  readFileSync(join(directory, "stages", place, "clipping.safetensors")).toString("base64")
const inputsOf = (directory: string, place: string): readonly string[] =>
  Object.keys(JSON.parse(readFileSync(join(directory, "stages", place, "manifest.json"), "utf8")).manifest.parts.inputs)

describe("the clipping search on image-text records", () => {
  it("looks at the images: the same words about other pictures give other ranges", async () => {
    const [one, again, other] = [
      await succeed(on(records("one", [1, 2, 3, 4]))),
      await succeed(on(records("again", [1, 2, 3, 4]))),
      await succeed(on(records("other", [11, 12, 13, 14])))
    ].map((directory) => rangesOf(directory, "01-autoclip"))
    assert.strictEqual(again, one)
    assert.notStrictEqual(other, one)
  })

  it("sees them as the stages before left tower and projector; text asks for neither", async () => {
    const meta = records("towers", [1, 2, 3, 4])
    const [plain, staged] = [
      await succeed(on(meta)),
      await succeed({ ...adaround, iterations: 0 }, projector, on(meta))
    ]
    assert.notStrictEqual(rangesOf(staged, "03-autoclip"), rangesOf(plain, "01-autoclip"))
    assert.sameMembers([...inputsOf(staged, "03-autoclip")], ["quantizedVision", "projector"])
    const text = await succeed({ ...adaround, iterations: 0 }, projector, autoclip)
    assert.deepStrictEqual(inputsOf(text, "03-autoclip"), [])
  })

  it("goes on after an interruption with the same bytes", async () => {
    const stage = on(records("continued", [1, 2, 3, 4]))
    const whole = resultsOf(await succeed(stage))
    const directory = join(root, "interrupted")
    for (const step of [1, 3]) {
      const { exit } = await runs.run(recipe(stage), directory, { stage: "01-autoclip", step })
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    }
    const { exit } = await runs.run(recipe(stage), directory)
    assert.isTrue(Exit.isSuccess(exit))
    assert.deepStrictEqual(resultsOf(directory), whole)
  })

  it("names the record that cannot be used, and says when there is too little of them", async () => {
    const failure = async (stage: object) => {
      const { exit } = await runs.run(recipe(stage), join(root, `run-${directories++}`))
      return Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : assert.fail("it succeeded")
    }
    assert.match(await failure(on(records("missing", [1, 99_999]))), /99999\.png \(.*mini\.jsonl:2\)/)
    const few = { ...on(records("few", [1])), sampleTokens: 512 }
    assert.match(await failure(few), /mini\.json gives \d+ tokens of calibration data, but 512 are needed/)
  })
})

describe("what is clipped, and by which text", () => {
  const text = { ...autoclip, documents: 16 }
  const clippingOf = (directory: string) =>
    readFileSync(join(directory, "stages/01-autoclip/clipping.safetensors")).toString("base64")
  const headerOf = (directory: string): readonly string[] => {
    const store = Safetensors.openSync(join(directory, "stages/01-autoclip/clipping.safetensors"))
    const names = [...store.tensors.keys()]
    store.close()
    return names
  }

  it("weights of N2F3 too, on the flat grid of its 3 bits; and stage 3 starts from them", async () => {
    const codebook = [{ match: "**", use: "n2f3", with: { group: 32 } }]
    const flat = [{ match: "**", use: "uniform", with: { bits: 3, group: 32 } }]
    const short = { ...qat, maxSteps: 1, quantizers: codebook }
    const [clipped, plain] = [await succeed({ ...text, quantizers: codebook }, short), await succeed(short)]
    assert.lengthOf(headerOf(clipped), 2 * 5 * 5)
    assert.strictEqual(clippingOf(clipped), clippingOf(await succeed({ ...text, quantizers: flat })))
    const trained = (directory: string, place: string) =>
      readFileSync(join(directory, "stages", place, "quantizedLanguage.safetensors")).toString("base64")
    assert.notStrictEqual(trained(clipped, "02-qat"), trained(plain, "01-qat"))
  })

  it("a compressed text is the text", async () => {
    const compressed = join(root, "calibration.jsonl.zst")
    writeFileSync(compressed, asZstandard(readFileSync(autoclip.calibration, "utf8")))
    const [ours, theirs] = [await succeed(text), await succeed({ ...text, calibration: compressed })]
    assert.strictEqual(clippingOf(theirs), clippingOf(ours))
  })
})
