/** Features of frozen towers kept on disk: the same bits with and without, for every stage and run that shares them. */
import { copyFileSync, cpSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { packedWeights } from "@speedq/exports"
import { layerOf } from "@speedq/formats"
import { isEntryOf, StageFailed } from "@speedq/pipeline"
import { bilevel, packWeight } from "@speedq/quantizers"
import { makeReferenceBackend, openBackend, scope, tensor } from "@speedq/tensors"
import { randomWeights, readModelConfig, weightsFrom } from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { FeaturesSeen } from "../src/features/keptFeatures.ts"
import { towerDigest } from "../src/features/towerDigest.ts"
import { pictureRecord, writeMiniData } from "./support/miniData.ts"
import { eventsOfKind, makeNanoRuns, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("kept-features", runs)
const meta = writeMiniData(
  root,
  [1, 2, 3, 4].map((number) => pictureRecord(number))
)

const shared = { data: { meta }, batch: 2, accumulation: 1, epochs: 2, featureCache: "0 B" }
const { adaround, projector, qat } = shortStages
const round = { ...adaround, iterations: 0 }
const fitted = { ...projector, ...shared, maxSteps: 4 }
const trained = { ...qat, ...shared, maxSteps: 2, loss: { confidence: 0.5 } }
/** Student and teacher see through different towers, the student in two stages through the same. */
const stages = [round, fitted, trained]
/** Four pictures through the student's tower, and through the teacher's. */
const all = 8

let directories = 0
/** A run in a new directory: its results, and what its stages saw. */
const runOf = async (features: object | undefined, more: object = {}) => {
  const directory = join(root, `run-${directories++}`)
  const recipe = { version: 1, name: "kept", model, seed: 3, stages, ...(features && { features }), ...more }
  const { exit, entries } = await runs.run(recipe, directory)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  const seen = eventsOfKind(FeaturesSeen, entries)
  const sum = (of: "found" | "remembered" | "computed" | "damaged") => seen.reduce((all, each) => all + each[of], 0)
  const places = entries.flatMap((entry) => (isEntryOf(FeaturesSeen, entry) ? [entry.stage] : []))
  return { results: resultsOf(directory), seen, sum, places }
}

const recordsIn = (store: string): readonly string[] =>
  readdirSync(store, { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".features"))
    .map((name) => join(store, name))

describe("features in f32", () => {
  it("change no byte of any result, new, found or damaged, and a tile passes a tower once for stages and runs", async () => {
    const store = join(root, "f32")
    const without = await runOf(undefined)
    assert.isEmpty(without.seen)
    const first = await runOf({ directory: store })
    assert.deepStrictEqual(first.places, ["02-train-projector", "03-qat"])
    assert.deepStrictEqual(first.results, without.results)
    assert.strictEqual(first.seen[0]!.computed, 4)
    assert.strictEqual(first.sum("computed"), recordsIn(store).length)
    assert.isAbove(first.seen[1]!.found, 0)

    const second = await runOf({ directory: store }, { seed: 3, save: { everySteps: 1 } })
    assert.deepStrictEqual([second.sum("computed"), second.sum("damaged")], [0, 0])
    assert.deepStrictEqual(second.results, without.results)

    const [flipped, torn, replaced, ...others] = recordsIn(store)
    const bytes = readFileSync(flipped!)
    bytes[1000]! ^= 4
    writeFileSync(flipped!, bytes)
    truncateSync(torn!, 100)
    copyFileSync(others[0]!, replaced!)
    const third = await runOf({ directory: store })
    assert.deepStrictEqual([third.sum("computed"), third.sum("damaged")], [3, 3])
    assert.deepStrictEqual(third.results, without.results)

    // Another seed trains otherwise, on the same tiles through the same teacher.
    const other = await runOf({ directory: store }, { seed: 4, stages: [trained] })
    assert.strictEqual(other.sum("computed"), 0)
    assert.isAbove(other.sum("found"), 0)
  }, 600_000)

  it("of a teacher elsewhere with an equal tower are the student's", async () => {
    const [store, teacher] = [join(root, "equal"), join(root, "teacher")]
    cpSync(model, teacher, { recursive: true })
    const more = { teacher, stages: [trained] }
    const without = await runOf(undefined, more)
    const { results, sum } = await runOf({ directory: store }, more)
    assert.deepStrictEqual(results, without.results)
    assert.strictEqual(readdirSync(store).length, 1)
    // Two steps of two of four samples: each tile was asked for once.
    assert.deepStrictEqual([sum("computed"), sum("found")], [4, 0])
  }, 600_000)
})

describe("features in bf16", () => {
  it("are the same rounded numbers new, found, and kept nowhere, and their stages have other keys", async () => {
    const store = join(root, "bf16")
    const first = await runOf({ directory: store, numbers: "bf16" })
    const second = await runOf({ directory: store, numbers: "bf16" })
    const nowhere = await runOf({ numbers: "bf16" })
    assert.isAtMost(first.sum("computed"), all)
    assert.strictEqual(second.sum("computed"), 0)
    assert.deepStrictEqual(second.results, first.results)
    assert.deepStrictEqual(nowhere.results, first.results)
    const exact = await runOf(undefined)
    const parameters = "stages/02-train-projector/projector.safetensors"
    assert.notStrictEqual(first.results[parameters], exact.results[parameters])
    assert.property(exact.results, parameters)
  }, 600_000)
})

describe("stages that calibrate on records", () => {
  const language = [{ match: "**", tower: "language", use: "uniform", with: { bits: 2, group: 16 } }]
  const { adaroundLanguage } = shortStages
  it.each([
    { use: "gptq", calibration: { meta }, samples: 4, quantizers: language, modalities: "balanced" },
    { ...adaroundLanguage, calibration: { meta }, documents: 4 }
  ])(
    "find and leave features in f32, and compute their own where a recipe rounds: $use",
    async (stage) => {
      const store = join(root, stage.use)
      const only = { stages: [stage] }
      const without = await runOf(undefined, only)
      const first = await runOf({ directory: store }, only)
      assert.strictEqual(first.sum("computed"), recordsIn(store).length)
      assert.isAbove(first.sum("computed"), 0)
      const second = await runOf({ directory: store }, only)
      assert.strictEqual(second.sum("computed"), 0)
      assert.isAbove(second.sum("found"), 0)
      const rounded = await runOf({ directory: store, numbers: "bf16" }, only)
      assert.isEmpty(rounded.seen)
      for (const { results } of [first, second, rounded]) assert.deepStrictEqual(results, without.results)
    },
    600_000
  )
})

describe("a directory that cannot hold features", () => {
  it("is refused before any work", async () => {
    const file = join(root, "a-file")
    writeFileSync(file, "")
    const directory = join(root, "refused")
    const recipe = { version: 1, name: "kept", model, seed: 3, stages, features: { directory: join(file, "below") } }
    const { exit } = await runs.run(recipe, directory)
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.notInstanceOf(error, StageFailed)
    assert.match(
      String(error),
      /train-projector.*features of frozen towers cannot be kept in .*a-file.*features\.directory/s
    )
  })
})

describe("the digest of a tower", () => {
  it("is another for other weights, configuration, arithmetic, backend or rounding, and the same for equal numbers", async () => {
    const backend = await openBackend("native")
    const config = readModelConfig(model)
    const parameters = randomWeights(backend, config, { seed: 1, spread: "fan-in", layerScale: 1 })
    const weights = weightsFrom(parameters)
    const given = { backend, config, weights, numbers: "f32" as const }
    const digest = await towerDigest(given)
    const name = "vision_model.encoder.layers.0.mlp.fc1.weight"
    const { vision_config } = config

    const choice = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
    const layer = layerOf(name)
    const nearest = choice.quantizer.quantize(choice.config, parameters[name]!)
    const packed = new Map([[layer, await packWeight(layer, choice, parameters[name]!.shape, nearest)]])
    const rounded = packed.get(layer)!.unpack()
    const unpacked = await towerDigest({ ...given, weights: weightsFrom({ [name]: rounded }, parameters) })
    assert.strictEqual(await towerDigest({ ...given, weights: packedWeights(packed, parameters) }), unpacked)
    const moved = Float32Array.from((await parameters[name]!.read()) as Float32Array)
    moved[moved.length - 1]! += 1e-6
    const one = scope(() => tensor(backend, moved, parameters[name]!.shape))
    const language = Object.fromEntries(Object.entries(parameters).filter(([each]) => each.startsWith("vision_model.")))
    assert.strictEqual(await towerDigest({ ...given, weights: weightsFrom(language) }), digest)

    const others = [
      unpacked,
      await towerDigest({ ...given, weights: weightsFrom({ [name]: one }, parameters) }),
      await towerDigest({ ...given, numbers: "bf16" }),
      await towerDigest({ ...given, config: { ...config, ps_version: "v1" } }),
      await towerDigest({ ...given, config: { ...config, vision_config: { ...vision_config, layer_norm_eps: 1e-5 } } }),
      await towerDigest({ ...given, backend: { ...backend, arithmetic: "bf16" } }),
      await towerDigest({ ...given, backend: makeReferenceBackend() })
    ]
    assert.strictEqual(new Set([digest, ...others]).size, others.length + 1)
    assert.match(digest, /^[0-9a-f]{64}$/)
    await backend.close()
  })
})
