/** Options of stage 1 that change what it optimizes: searched ranges, Fisher weights; and what training refuses. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { RunEvents } from "@speedq/pipeline"
import { noGrad, scope, tensor } from "@speedq/tensors"
import { patchGrid, visionBlock, visionBlockName, weightsFrom } from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { makeFisherGradient } from "../src/adaroundVit/fisherGradient.ts"
import { Compute } from "../src/compute/Compute.ts"
import { openSourceModel } from "../src/model/SourceModel.ts"
import { eventsOfKind, makeNanoRuns, nanoData, shortStages } from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-adaround-options-"))
const runs = makeNanoRuns()
const model = join(nanoData, "model")
afterAll(async () => {
  await runs.dispose()
  rmSync(root, { recursive: true, force: true })
})

const recipe = (...stages: ReadonlyArray<object>) => ({
  version: 1,
  name: "options",
  model,
  seed: 3,
  save: { everySteps: 2 },
  stages
})
const { adaround, qat } = shortStages
const rules = (options: object) => [
  { match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16, ...options } }
]
const short = { ...adaround, count: 6, iterations: 6, batch: 3 }

const place = "01-adaround-vit"
const vision = (directory: string) => readFileSync(join(directory, "stages", place, "quantizedVision.safetensors"))
const reportOf = (directory: string) => readFileSync(join(directory, "stages", place, "report.json"), "utf8")
const finished = async (name: string, stage: object): Promise<string> => {
  const directory = join(root, name)
  const { exit } = await runs.run(recipe(stage), directory)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return directory
}

/** The losses of its iterations. */
const lossesOf = async (stage: object): Promise<readonly number[]> => {
  const { entries } = await runs.run(recipe(stage), join(root, `losses-${losses++}`))
  return eventsOfKind(RunEvents.StepDone, entries).flatMap(({ metrics: { loss } }) =>
    loss === undefined ? [] : [loss]
  )
}
let losses = 0

let plain: string
beforeAll(async () => {
  plain = await finished("plain", short)
})

describe("stage 1", () => {
  it("rounds on searched ranges, interrupted or not to the same bytes", async () => {
    const searched = { ...short, quantizers: rules({ range: "mse" }) }
    const whole = await finished("searched", searched)
    assert.isFalse(vision(whole).equals(vision(plain)))
    const directory = join(root, "searched-twice")
    const { exit } = await runs.run(recipe(searched), directory, { stage: place, step: 9 })
    assert.isTrue(Exit.isFailure(exit))
    assert.isTrue(Exit.isSuccess((await runs.run(recipe(searched), directory)).exit))
    assert.deepStrictEqual(resultsOf(directory), resultsOf(whole))
  })

  it("cuts mini-batches into parts: of 1 are what there was before, with its key; more are another result, interrupted or not", async () => {
    const keyOf = (directory: string) => JSON.parse(readFileSync(join(directory, "run.json"), "utf8")).keys[place]
    const single = await finished("one-part", { ...short, shards: 1 })
    assert.strictEqual(keyOf(single), keyOf(plain))
    assert.deepStrictEqual(resultsOf(single), resultsOf(plain))
    const cut = { ...short, shards: 2 }
    const whole = await finished("two-parts", cut)
    assert.notStrictEqual(keyOf(whole), keyOf(plain))
    const [ours, theirs] = [await lossesOf(cut), await lossesOf(short)]
    assert.notDeepEqual(ours, theirs)
    for (const [at, loss] of ours.entries()) assert.closeTo(loss / theirs[at]!, 1, 1e-3)
    const directory = join(root, "two-parts-twice")
    const { exit } = await runs.run(recipe(cut), directory, { stage: place, step: 9 })
    assert.isTrue(Exit.isFailure(exit))
    assert.isTrue(Exit.isSuccess((await runs.run(recipe(cut), directory)).exit))
    assert.deepStrictEqual(resultsOf(directory), resultsOf(whole))
    const { backend } = await runs.runtime.runPromise(Compute)
    assert.strictEqual(backend.usage().buffers, 0)
  })

  it("weights errors by Fisher, interrupted or not and wherever they are cached to the same bytes", async () => {
    const fisher = { ...short, weighting: "fisher" }
    const whole = await finished("fisher", fisher)
    assert.notStrictEqual(reportOf(whole), reportOf(plain))
    const directory = join(root, "fisher-twice")
    for (const step of [3, 10]) {
      const { exit } = await runs.run(recipe({ ...fisher, cache: "0 B" }), directory, { stage: place, step })
      assert.isTrue(Exit.isFailure(exit), `step ${step}`)
    }
    assert.isTrue(Exit.isSuccess((await runs.run(recipe(fisher), directory)).exit))
    assert.deepStrictEqual(resultsOf(directory), resultsOf(whole))
    const { backend } = await runs.runtime.runPromise(Compute)
    assert.strictEqual(backend.usage().buffers, 0)
  })
})

describe("the gradient of the answer's log-likelihood", () => {
  it("at a block's output follows the chain rule through the blocks after it, and skips the class token at the end", () =>
    runs.runtime.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const { backend } = yield* Compute
          const source = yield* openSourceModel(model)
          const { config } = source.directory
          const shape = [1, patchGrid(config) ** 2 + 1, config.vision_config.hidden_size] as const
          const gradientAt = yield* makeFisherGradient({ backend, model: source, seed: 1 })
          const last = config.vision_config.num_hidden_layers - 1
          /** What the last block gives for an output of the first. */
          const through = (values: Float32Array) =>
            Effect.promise(async () => {
              const result = noGrad(() =>
                scope(() => {
                  let hidden = tensor(backend, values, shape)
                  for (let index = 1; index <= last; index++) {
                    hidden = visionBlock(
                      weightsFrom(source.weights),
                      config.vision_config,
                      visionBlockName(index),
                      hidden
                    )
                  }
                  return hidden
                })
              )
              const found = Float32Array.from(await result.read())
              result.release()
              return found
            })
          const gradient = (index: number, values: Float32Array) =>
            Effect.promise(async () => {
              const output = tensor(backend, values, shape)
              const found = Float32Array.from(await gradientAt(0, index, output))
              output.release()
              return found
            })
          const size = shape[1] * shape[2]
          const values = Float32Array.from({ length: size }, (_, i) => Math.sin(i * i))
          const direction = Float32Array.from({ length: size }, (_, i) => Math.cos(i * i * i))
          const step = 1e-2
          const moved = (by: number) => through(values.map((value, i) => value + by * direction[i]!))
          const [up, down] = [yield* moved(step), yield* moved(-step)]
          const atEnd = yield* gradient(last, yield* through(values))
          const atStart = yield* gradient(0, values)
          const expected = atEnd.reduce((sum, g, i) => sum + (g * (up[i]! - down[i]!)) / (2 * step), 0)
          const found = atStart.reduce((sum, g, i) => sum + g * direction[i]!, 0)
          assert.isAbove(Math.abs(expected), 1e-3)
          assert.closeTo(found, expected, 2e-2 * Math.abs(expected))
          assert.isTrue(atEnd.subarray(0, shape[2]).every((value) => value === 0))
        })
      )
    ))
})

describe("training", () => {
  it("refuses quantizers that search in every step, before any work, with what to do", async () => {
    for (const use of ["qat", "joint-qat"]) {
      const stage = { ...qat, use, quantizers: rules({ range: "mse" }) }
      const { exit } = await runs.run(recipe(stage), join(root, use))
      const message = Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : ""
      assert.match(message, /training quantizes every weight in every step.*search for their ranges.*autoclip/s)
    }
  })
})
