/** What options of stage 3 train: the artefacts hold it, every parameter of it moves, and exports and evaluations contain it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { layerOf, Safetensors } from "@speedq/formats"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { evaluation, makeNanoRuns, shortStages, writeNanoModel } from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-trained-parts-"))
const runs = makeNanoRuns()
let model: string
let original: Numbers
beforeAll(async () => {
  model = await writeNanoModel(join(root, "model"))
  original = numbersOf(join(model, "model.safetensors"))
})
afterAll(async () => {
  await runs.dispose()
  rmSync(root, { recursive: true, force: true })
})

const { adaround, projector } = shortStages
const quick = { ...adaround, iterations: 0 }
const short = { ...shortStages.qat, maxSteps: 2, warmupRatio: 0 }
const exports = [
  { use: "export", format: "fake-quant", rest: "f32", with: { dtype: "f32" } },
  { use: "export", format: "packed", rest: "f32" }
]

let directories = 0
const attempt = async (...stages: ReadonlyArray<object>) => {
  const directory = join(root, `run-${directories++}`)
  const { exit } = await runs.run({ version: 1, name: "parts", model, seed: 3, stages }, directory)
  return { directory, exit }
}
const succeed = async (...stages: ReadonlyArray<object>): Promise<string> => {
  const { directory, exit } = await attempt(...stages)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return directory
}

type Numbers = ReadonlyMap<string, Float32Array>

/** Tensors of f32 of a file, without the prefix that artefacts have. */
const numbersOf = (file: string): Numbers => {
  const store = Safetensors.openSync(file)
  const entries = [...store.tensors].flatMap(([name, { dtype }]) =>
    dtype === "F32"
      ? [[name.replace(/^parameter\./, ""), new Float32Array(Uint8Array.from(store.read(name)).buffer)] as const]
      : []
  )
  store.close()
  return new Map(entries)
}
const artefact = (directory: string, place: string, name: string): Numbers =>
  numbersOf(join(directory, "stages", place, `${name}.safetensors`))
const exported = (directory: string): Numbers => numbersOf(join(directory, "model/fake-quant-f32/model.safetensors"))
const described = (directory: string): { readonly [parameter: string]: { readonly use: string } } =>
  JSON.parse(readFileSync(join(directory, "model/packed/quantization.json"), "utf8")).layers

const differ = (a: Float32Array, b: Float32Array): boolean => a.some((value, i) => value !== b[i])
/** Names of the numbers that are not those of another set. */
const moved = (numbers: Numbers, from: Numbers): string[] =>
  [...numbers].filter(([name, values]) => differ(values, from.get(name)!)).map(([name]) => name)

const head = "language_model.lm_head.weight"

describe("train", () => {
  it("without it: projector and decoder, not embedding, head or tower", async () => {
    const directory = await succeed(short)
    const language = artefact(directory, "01-qat", "quantizedLanguage")
    assert.isFalse(language.has(head))
    assert.isTrue([...language.keys()].every((name) => name.startsWith("language_model.")))
    assert.lengthOf([...artefact(directory, "01-qat", "projector").keys()], 6)
    assert.sameMembers(moved(language, original), [...language.keys()])
  })

  it("projector: false leaves the projector as stage 2 made it, in artefact and export", async () => {
    const settings = { ...short, train: { projector: false } }
    const stage2 = { ...projector, maxSteps: 2, warmupRatio: 0 }
    const directory = await succeed(quick, stage2, settings, ...exports)
    const before = artefact(directory, "02-train-projector", "projector")
    assert.lengthOf(moved(before, original), 6)
    assert.lengthOf(moved(artefact(directory, "03-qat", "projector"), before), 0)
    assert.lengthOf(moved(before, exported(directory)), 0)
    const alone = await succeed({ ...short, train: { projector: false } }, ...exports)
    assert.strictEqual(artefact(alone, "01-qat", "projector").size, 0)
    assert.notInclude(moved(exported(alone), original), "mlp1.1.weight")
  })

  it("head: true trains the head under its quantizer, and exports it", async () => {
    const [trained, frozen] = [
      await succeed({ ...short, train: { head: true } }, ...exports),
      await succeed(short, ...exports)
    ]
    const language = artefact(trained, "01-qat", "quantizedLanguage")
    assert.isTrue(differ(language.get(head)!, original.get(head)!))
    assert.isTrue(differ(exported(trained).get(head)!, exported(frozen).get(head)!))
    assert.strictEqual(described(trained)[head]!.use, "embedding-sym4")
    // The embedding stays what it was.
    const embedding = "language_model.model.embed_tokens.weight"
    assert.isFalse(differ(exported(trained).get(embedding)!, exported(frozen).get(embedding)!))
  })

  it("visionLayers trains the last blocks, under the quantizers that stage 1 used, and exports pack them again", async () => {
    const block = "vision_model.encoder.layers.2."
    const [trained, frozen] = [
      await succeed(quick, { ...short, train: { visionLayers: 1 } }, ...exports, evaluation("trained")),
      await succeed(quick, short, ...exports)
    ]
    const tower = new Map(
      [...artefact(trained, "02-qat", "quantizedLanguage")].filter(([name]) => name.startsWith("vision_model."))
    )
    assert.lengthOf([...tower.keys()], 14)
    assert.isTrue([...tower.keys()].every((name) => name.startsWith(block)))
    // Every parameter of the block has moved from where it started: what stage 1 made of it.
    const started = exported(frozen)
    assert.sameMembers(moved(tower, started), [...tower.keys()])
    const after = exported(trained)
    const inTower = moved(after, started).filter((name) => name.startsWith("vision_model."))
    assert.sameMembers(inTower, [...tower.keys()])
    for (const name of tower.keys()) {
      const isLinear = /(qkv|proj|fc1|fc2)\.weight$/.test(name)
      assert.strictEqual(described(trained)[name]?.use, isLinear ? "bilevel" : undefined, name)
      // What is quantized is exported on its grid, the rest as it was trained.
      assert.strictEqual(differ(after.get(name)!, tower.get(name)!), isLinear, name)
    }
    const packed = Object.keys(described(trained)).map(layerOf)
    assert.includeMembers(packed, ["vision_model.encoder.layers.0.attn.qkv", "vision_model.encoder.layers.2.mlp.fc2"])
  })

  it("visionLayers without stage 1 trains them in full precision; more blocks than there are is refused", async () => {
    const directory = await succeed({ ...short, train: { visionLayers: 3 } }, ...exports)
    const tower = [...artefact(directory, "01-qat", "quantizedLanguage").keys()].filter((name) =>
      name.startsWith("vision_model.")
    )
    assert.lengthOf(tower, 3 * 14)
    assert.isFalse(Object.keys(described(directory)).some((name) => name.startsWith("vision_model.")))
    const { exit } = await attempt({ ...short, train: { visionLayers: 4 } })
    assert.match(String(Exit.isFailure(exit) && Cause.squash(exit.cause)), /visionLayers is 4, but .* has 3 blocks/)
  })

  it("stochastic depth reaches a tower that is trained", async () => {
    const settings = { ...short, train: { visionLayers: 1 } }
    const [plain, deep, again] = [
      await succeed(settings),
      await succeed({ ...settings, dropPath: 0.9 }),
      await succeed({ ...settings, dropPath: 0.9 })
    ]
    const trained = (directory: string) => artefact(directory, "01-qat", "quantizedLanguage")
    assert.isNotEmpty(moved(trained(deep), trained(plain)))
    assert.isEmpty(moved(trained(again), trained(deep)))
  })
})

describe("quantizeProjector", () => {
  it("lets the rules quantize the projector, which learns so and is packed", async () => {
    const [quantized, plain] = [
      await succeed({ ...short, quantizeProjector: true }, ...exports),
      await succeed(short, ...exports)
    ]
    const linears = ["mlp1.1.weight", "mlp1.3.weight"]
    assert.deepStrictEqual(
      linears.map((name) => described(quantized)[name]?.use),
      ["bilevel", "bilevel"]
    )
    assert.isUndefined(described(plain)[linears[0]!])
    // Trained numbers are in the artefact, those of the grid in the export: 4 at most in a group of 16.
    const [trained, after] = [artefact(quantized, "01-qat", "projector"), exported(quantized)]
    assert.includeMembers([...moved(after, trained.size === 0 ? after : new Map([...after, ...trained]))], linears)
    const values = after.get(linears[0]!)!
    for (let start = 0; start < values.length; start += 16) {
      assert.isAtMost(new Set(values.subarray(start, start + 16)).size, 4)
    }
    assert.isNotEmpty(moved(trained, artefact(plain, "01-qat", "projector")))
  })

  it("and joint training too, with the head", async () => {
    const joint = { ...short, use: "joint-qat", quantizeProjector: true, train: { head: true } }
    const directory = await succeed(joint, ...exports)
    assert.strictEqual(described(directory)["mlp1.3.weight"]?.use, "bilevel")
    assert.isTrue(differ(artefact(directory, "01-joint-qat", "quantizedLanguage").get(head)!, original.get(head)!))
  })
})
