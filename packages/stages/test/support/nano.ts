/** A nano model with random weights, a recipe of every stage on it, and a run of it in this process. */
import { copyFileSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Safetensors } from "@speedq/formats"
import { type Entry, Events, isEntryOf, Recipe, RunDirectory, RunEvents } from "@speedq/pipeline"
import { openBackend } from "@speedq/tensors"
import { randomWeights, readModelConfig } from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { assert } from "vitest"
import { tensorSource } from "../../src/artefacts/tensorCodec.ts"
import { Compute } from "../../src/compute/Compute.ts"
import { SampleWorkers } from "../../src/data/SampleWorkers.ts"
import { builtIn, type ExtensionLists, Extensions } from "../../src/extensions/Extensions.ts"
import { stages } from "../../src/registry/stages.ts"

/** data/nano of the repository. */
export const nanoData = fileURLToPath(new URL("../../../../data/nano", import.meta.url))

/** Writes a model directory with nano's config and tokenizer and random weights of f32; `language` changes its decoder. */
export const writeNanoModel = async (directory: string, seed = 1, language: object = {}): Promise<string> => {
  mkdirSync(directory, { recursive: true })
  for (const folder of ["config", "tokenizer"]) {
    for (const file of readdirSync(join(nanoData, folder))) {
      copyFileSync(join(nanoData, folder, file), join(directory, file))
    }
  }
  if (Object.keys(language).length > 0) {
    const file = join(directory, "config.json")
    const config = JSON.parse(readFileSync(file, "utf8"))
    writeFileSync(file, JSON.stringify({ ...config, llm_config: { ...config.llm_config, ...language } }))
  }
  const backend = await openBackend("native")
  const weights = randomWeights(backend, readModelConfig(directory), { seed, spread: "fan-in", layerScale: 1 })
  const sources = Object.entries(weights).map(([name, tensor]) => tensorSource(name, tensor))
  await Effect.runPromise(
    Safetensors.write(join(directory, "model.safetensors"), sources, { metadata: { format: "pt" } })
  )
  await backend.close()
  return directory
}

const bilevel = { use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }
/** Rounding to nearest at 2 bits, of all that the paper's 2-bit recipe quantizes. */
export const nearestLanguage = [
  { match: "**", tower: "language", ...bilevel },
  { match: "**", layers: "embedding", use: "embedding-sym4" }
]
export const nearest = [{ match: "**", tower: "vision", ...bilevel }, ...nearestLanguage]

export const evaluation = (title: string, more: object = {}) => ({
  use: "evaluate",
  title,
  benchmarks: [
    { name: "nano", data: join(nanoData, "evaluation/caption.tsv"), limit: 3 },
    { name: "nano", data: join(nanoData, "evaluation/short.tsv"), limit: 4 }
  ],
  divergence: 2,
  ...more
})

/** Options of a short training. */
export const training = {
  data: { meta: join(nanoData, "datasets.json"), percent: 2 },
  batch: 3,
  accumulation: 2,
  maxSteps: 4,
  learningRate: 1e-3
}

/** Short stages by the name of what they do. */
export const shortStages = {
  adaround: {
    use: "adaround-vit",
    images: join(nanoData, "calibration-images.txt"),
    count: 12,
    iterations: 20,
    batch: 4,
    learningRate: 0.02,
    quantizers: [{ match: "**", ...bilevel }]
  },
  blockwiseVit: {
    use: "blockwise-vit",
    images: join(nanoData, "calibration-images.txt"),
    count: 12,
    epochs: 5,
    batch: 4,
    learningRate: 1e-3,
    gridRate: 1e-3,
    quantizers: [{ match: "**", ...bilevel }]
  },
  projector: { use: "train-projector", ...training },
  autoclip: {
    use: "autoclip",
    calibration: join(nanoData, "calibration.jsonl"),
    block: 256,
    documents: 24,
    quantizers: [{ match: "**", ...bilevel }]
  },
  adaroundLanguage: {
    use: "adaround-language",
    calibration: training.data,
    documents: 10,
    iterations: 8,
    batch: 4,
    learningRate: 0.02,
    quantizers: [{ match: "**", ...bilevel }]
  },
  blockwise: {
    use: "blockwise",
    calibration: training.data,
    documents: 10,
    epochs: 2,
    batch: 3,
    learningRate: 1e-3,
    gridRate: 1e-3,
    quantizers: [{ match: "**", use: "uniform", with: { bits: 2, group: 16 } }]
  },
  qat: { use: "qat", ...training, quantizers: [{ match: "**", ...bilevel }], loss: { confidenceBatches: 3 } }
} as const

/** Each kind of stage once, saved after every second step. */
export const eachStage = (model: string) => ({
  version: 1,
  name: "nano",
  model,
  seed: 7,
  save: { everySteps: 2 },
  stages: [
    { ...shortStages.adaround, iterations: 10 },
    shortStages.projector,
    shortStages.autoclip,
    shortStages.qat,
    { use: "export", format: "fake-quant" },
    { use: "export", format: "packed" },
    evaluation("SPEED-Q 2-bit", { gallery: true })
  ]
})

/** Every stage, briefly, and an evaluation after each. */
export const wholeRecipe = (model: string) => ({
  version: 1,
  name: "nano",
  model,
  seed: 7,
  save: { everySteps: 3 },
  stages: [
    evaluation("full precision"),
    evaluation("nearest 2-bit", { nearest }),
    shortStages.adaround,
    evaluation("after AdaRound", { nearest: nearestLanguage }),
    shortStages.projector,
    evaluation("after the projector", { nearest: nearestLanguage }),
    shortStages.autoclip,
    shortStages.qat,
    { use: "export", format: "fake-quant" },
    { use: "export", format: "fake-quant", with: { dtype: "f32" } },
    { use: "export", format: "packed" },
    evaluation("SPEED-Q 2-bit", { gallery: true })
  ]
})

export interface Recording {
  readonly exit: Exit.Exit<unknown, unknown>
  readonly entries: readonly Entry[]
}

/** A backend and worker threads for the runs of one test file, and what their recipes may name. */
export const makeNanoRuns = (extensions: ExtensionLists = builtIn, compute = Compute.layer({ backend: "native" })) => {
  const runtime = ManagedRuntime.make(
    Layer.mergeAll(
      compute,
      SampleWorkers.layer({ count: 1 }),
      NodeServices.layer,
      Layer.succeed(Extensions, extensions)
    )
  )
  /** Runs a recipe in JSON; `stopAfter` interrupts it when a stage has done a step; `watch` sees events as they come. */
  const run = async (
    recipe: object,
    directory: string,
    stopAfter?: { readonly stage: string; readonly step: number },
    watch: (entry: Entry) => void = () => {}
  ): Promise<Recording> => {
    const entries: Entry[] = []
    const fiber = runtime.runFork(
      Effect.gen(function* () {
        const events = yield* Events
        const write = (entry: Entry) => {
          entries.push(entry)
          watch(entry)
          if (stopAfter === undefined || entry.stage !== stopAfter.stage) return
          if (isEntryOf(RunEvents.StepDone, entry) && entry.event.step === stopAfter.step) fiber.interruptUnsafe()
        }
        yield* events.subscribe({ write, flush: Effect.void })
        return yield* Recipe.run(yield* Recipe.decode(stages, recipe))
      }).pipe(Effect.scoped, Effect.provide(RunDirectory.layer(directory)))
    )
    return { exit: await Effect.runPromise(Fiber.await(fiber)), entries }
  }
  /** Runs a recipe of one stage, interrupts it after a step of each cut, with the options of the cut, and then lets it end. */
  const runInPieces = async (
    recipe: object,
    stage: string,
    directory: string,
    cuts: readonly { readonly step: number; readonly recipe: object }[]
  ): Promise<void> => {
    for (const cut of cuts) {
      const { exit } = await run(cut.recipe, directory, { stage, step: cut.step })
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause), `step ${cut.step}`)
    }
    assert.isTrue(Exit.isSuccess((await run(recipe, directory)).exit))
  }
  /** Buffers that the backend has given out and not got back. */
  const buffersInUse = () => runtime.runPromise(Effect.map(Compute, ({ backend }) => backend.usage().buffers))
  return { run, runInPieces, buffersInUse, runtime, dispose: () => runtime.dispose() }
}

/** The events of one kind. */
export const eventsOfKind = <P>(kind: Parameters<typeof isEntryOf<P>>[0], entries: readonly Entry[]): readonly P[] =>
  entries.flatMap((entry) => (isEntryOf(kind, entry) ? [entry.event] : []))
