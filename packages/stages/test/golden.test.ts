/**
 * Numbers do not change without a version: the digest of what every stage, quantizer and loss gives on a small input, held in
 * golden.json. Computed by WebAssembly with plain SIMD and two threads, which gives the same bits on any machine; how sums are cut
 * into parts depends on the number of threads.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { losses } from "@speedq/distillation"
import { exporters } from "@speedq/exports"
import { BetweenStages, Recipe, RunDirectory } from "@speedq/pipeline"
import { quantizers } from "@speedq/quantizers"
import { type Backend, makeNativeBackend } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Compute } from "../src/compute/Compute.ts"
import { SampleWorkers } from "../src/data/SampleWorkers.ts"
import { stages } from "../src/registry/stages.ts"
import { compareGoldens, digestOf, type Golden, type Goldens, readGoldens, writeGoldens } from "./support/golden.ts"
import { ofLoss, ofQuantizer } from "./support/goldenNumbers.ts"
import { evaluation, nanoData, nearest, shortStages } from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-golden-"))
let backend: Backend
beforeAll(async () => {
  backend = await makeNativeBackend({ blas: "none", onednn: "none", simd: "plain", threads: 2 })
})
afterAll(async () => {
  await backend.close()
  rmSync(root, { recursive: true, force: true })
})

const short = {
  batch: 2,
  accumulation: 1,
  maxSteps: 2,
  data: { ...shortStages.qat.data, percent: 1, pictures: "bytes" }
}
const qat = { ...shortStages.qat, ...short, loss: { confidenceBatches: 1 } }
const recipeOf = (...parts: ReadonlyArray<object>) => ({
  version: 1,
  name: "golden",
  model: join(nanoData, "model"),
  seed: 11,
  stages: parts
})
const recipes = [
  recipeOf(
    { ...shortStages.adaround, count: 4, iterations: 6, batch: 2 },
    { ...shortStages.projector, ...short },
    shortStages.autoclip,
    qat,
    ...exporters.filter(({ id }) => id !== "awq").map(({ id }) => ({ use: "export", format: id })),
    evaluation("golden", { divergence: 1 })
  ),
  recipeOf({
    use: "allocate-bits",
    budget: "3 bits",
    candidates: [2, 4].map((bits) => [{ match: "**", use: "bilevel", with: { bits, group: 32, scaleGroup: 16 } }]),
    data: short.data,
    records: 2
  }),
  recipeOf({ use: "import-vit", weights: join(nanoData, "model/model.safetensors"), quantizers: nearest.slice(0, 1) }),
  recipeOf({ ...qat, use: "joint-qat", maxSteps: 1 }),
  recipeOf({ use: "import-vit", weights: join(nanoData, "model"), quantizers: shortStages.adaround.quantizers }),
  // A format of 4 bits alone.
  recipeOf(
    { use: "round-language", quantizers: [{ match: "**", use: "uniform", with: { bits: 4, group: 32 } }] },
    { use: "export", format: "awq" }
  ),
  recipeOf(shortStages.autoclip, { use: "round-language", quantizers: shortStages.autoclip.quantizers }),
  recipeOf({ ...shortStages.adaroundLanguage, calibration: short.data, iterations: 3 }),
  recipeOf({ ...shortStages.blockwise, calibration: short.data, epochs: 1 }),
  recipeOf({ ...shortStages.blockwiseVit, epochs: 1 }),
  recipeOf({ use: "gptq", calibration: short.data, samples: 4, quantizers: shortStages.autoclip.quantizers }),
  recipeOf({ use: "awq", calibration: short.data, samples: 4, steps: 4, quantizers: shortStages.autoclip.quantizers }),
  recipeOf(evaluation("nearest", { nearest, divergence: 1 }))
]

interface Manifest {
  readonly key: string
  readonly parts: {
    readonly stage: string
    readonly version: number
    readonly versions: Golden["versions"]
    readonly config: object
    readonly seed: number
    readonly data: string
    readonly inputs: { readonly [artefact: string]: string }
  }
  readonly finished: {
    readonly artefacts: { readonly [name: string]: { readonly sha256: string } }
    readonly files: ReadonlyArray<{ readonly file: string; readonly sha256: string }>
  }
}

/** What a stage gave: its artefacts, and what it exported but for what names the program and the recipe. */
const numbersOf = ({ finished }: Manifest): string => {
  const artefacts = Object.entries(finished.artefacts).map(([name, { sha256 }]) => [name, sha256])
  const exported = finished.files
    .filter(({ file }) => file.includes("/model/") && /\.(safetensors|gguf)$/.test(file))
    .map(({ file, sha256 }) => [file, sha256])
  return JSON.stringify([...artefacts, ...exported])
}

/** A finished stage with the versions and inputs of all that it rests on. */
const goldenOf = (manifest: Manifest, all: ReadonlyArray<Manifest>): Golden => {
  const { stage, version, versions, config, seed, data, inputs } = manifest.parts
  const sources = Object.values(inputs).map((key) => goldenOf(all.find((each) => each.key === key)!, all))
  return {
    versions: Object.assign({}, ...sources.map((source) => source.versions), versions, {
      [`stage ${stage.replace(/-\d+$/, "")}`]: version
    }),
    // The same wherever the repository lies.
    input: digestOf(
      JSON.stringify([config, seed, data, sources.map(({ input }) => input)]).replaceAll(nanoData, "data/nano")
    ),
    digest: digestOf(numbersOf(manifest))
  }
}

const run = async (recipe: object, directory: string): Promise<Goldens> => {
  const services = Layer.mergeAll(
    RunDirectory.layer(directory),
    Layer.succeed(Compute, { backend }),
    SampleWorkers.layer({ count: 1 })
  )
  await Recipe.decode(stages, recipe).pipe(
    Effect.flatMap(Recipe.run),
    Effect.provideService(
      BetweenStages,
      Effect.sync(() => backend.trim())
    ),
    Effect.scoped,
    Effect.provide(services),
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )
  const places = readdirSync(join(directory, "stages"))
  const manifests: ReadonlyArray<Manifest> = places.map(
    (place) => JSON.parse(readFileSync(join(directory, "stages", place, "manifest.json"), "utf8")).manifest
  )
  return Object.fromEntries(manifests.map((manifest) => [titleOf(manifest.parts), goldenOf(manifest, manifests)]))
}

const titleOf = ({ stage, config }: Manifest["parts"]): string => {
  const { format, title } = config as { readonly format?: string; readonly title?: string }
  return [`stage ${stage.replace(/-\d+$/, "")}`, format ?? title].filter((part) => part !== undefined).join(" ")
}

const lossOptions: { readonly [id: string]: object } = {
  "cross-entropy": { labelSmoothing: 0.1 },
  cakld: { temperature: 2 }
}

const computeAll = async (): Promise<Goldens> => {
  const found: { [name: string]: Golden } = {}
  for (const [index, recipe] of recipes.entries()) Object.assign(found, await run(recipe, join(root, String(index))))
  for (const { id } of quantizers) found[`quantizer ${id}`] = await ofQuantizer(backend, id)
  for (const { id } of losses) found[`loss ${id}`] = await ofLoss(backend, { use: id, with: lossOptions[id] })
  return found
}

describe("golden digests", () => {
  it("are the same as long as versions are", async () => {
    const found = await computeAll()
    for (const { name } of stages) {
      assert.isTrue(
        Object.keys(found).some((title) => title.startsWith(`stage ${name}`)),
        `no golden run of ${name}`
      )
    }
    const { problems, updated } = compareGoldens(readGoldens(), found)
    if (process.env.UPDATE_GOLDEN === undefined) {
      assert.isEmpty(problems, problems.map(({ issue }) => issue).join("\n"))
    } else {
      writeGoldens(updated)
      const forbidden = problems.filter((problem) => problem.forbidden)
      assert.isEmpty(forbidden, forbidden.map(({ issue }) => issue).join("\n"))
    }
  })
})

describe("a golden digest", () => {
  const golden = (version: number, digest: string, input = "data"): Goldens => ({
    "stage toy": { versions: { "stage toy": version, kernels: 1 }, input, digest }
  })
  const judged = (after: Goldens) => compareGoldens(golden(2, "a"), after)

  it("of other numbers fails, says what to raise, and is not written over", () => {
    const { problems, updated } = judged(golden(2, "b"))
    assert.match(problems[0]!.issue, /^stage toy gives other numbers than before, by the same versions/)
    assert.include(problems[0]!.issue, "a stage (version of toy)")
    assert.include(problems[0]!.issue, "kernelSetVersion in packages/tensors/src/kernels/version.ts")
    assert.deepStrictEqual(updated, golden(2, "a"))
  })

  it("is written over when a version was raised, never when one was lowered", () => {
    const raised = judged(golden(3, "b"))
    assert.match(raised.problems[0]!.issue, /versions were raised/)
    assert.deepStrictEqual(raised.updated, golden(3, "b"))
    const lowered = judged(golden(1, "a"))
    assert.match(lowered.problems[0]!.issue, /was lowered/)
    assert.deepStrictEqual(lowered.updated, golden(2, "a"))
  })

  it("may change with its options or data, and stays where they make no difference", () => {
    assert.match(judged(golden(2, "b", "other")).problems[0]!.issue, /its options or its data changed/)
    assert.isEmpty(judged(golden(2, "a", "other")).problems)
    assert.isEmpty(judged(golden(2, "a")).problems)
  })

  it("that is new or gone is told", () => {
    assert.match(judged({}).problems[0]!.issue, /is made no more/)
    assert.match(compareGoldens({}, golden(1, "a")).problems[0]!.issue, /is new/)
  })
})
