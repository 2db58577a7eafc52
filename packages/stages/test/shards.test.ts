/** Shards of a step: where they are cut, that their number is a part of the key, and that what they give depends on it alone. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { releaseParameters } from "@speedq/exports"
import { type Entry, isEntryOf, RunEvents } from "@speedq/pipeline"
import { bf16ToF32, f32ToBf16, openBackend, type Parameters, Random, tensor } from "@speedq/tensors"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { isOfGrid } from "../src/training/learnedGrids.ts"
import { loadParameters, saveParameters } from "../src/training/shardFiles.ts"
import { shardsOf } from "../src/training/shards.ts"
import { stepParameters } from "../src/training/stepParameters.ts"
import { makeNanoRuns, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("shards", runs)
const qat = { ...shortStages.qat, batch: 1, accumulation: 7, maxSteps: 3 }

let directories = 0
const run = async (stage: object, stopAfter?: number, directory = join(root, `run-${directories++}`)) => {
  const recipe = { version: 1, name: "shards", model, seed: 3, save: { everySteps: 1 }, stages: [stage] }
  const stop = stopAfter === undefined ? undefined : { stage: "01-qat", step: stopAfter }
  const { exit, entries } = await runs.run(recipe, directory, stop)
  if (Exit.isFailure(exit) && stop === undefined) throw Cause.squash(exit.cause)
  return { directory, entries }
}
const made = ({ directory }: { readonly directory: string }) =>
  ["quantizedLanguage.safetensors", "projector.safetensors", "data-used.bin"].map((name) =>
    readFileSync(join(directory, "stages/01-qat", name)).toString("base64")
  )
const keyOf = ({ directory }: { readonly directory: string }) =>
  JSON.parse(readFileSync(join(directory, "run.json"), "utf8")).keys["01-qat"]
type Metrics = { readonly [name: string]: number }
const metricsOf = (entries: readonly Entry[]) =>
  entries.flatMap((entry) => (isEntryOf(RunEvents.StepDone, entry) ? [entry.event.metrics] : []))

describe("shardsOf", () => {
  it("cuts into parts of nearly equal length, in order, none of them empty", () => {
    const indices = [5, 6, 7, 8, 9, 10, 11]
    assert.deepStrictEqual(shardsOf(indices, 1), [indices])
    assert.deepStrictEqual(shardsOf(indices, 3), [
      [5, 6],
      [7, 8],
      [9, 10, 11]
    ])
    assert.deepStrictEqual(
      shardsOf(indices, 20),
      indices.map((index) => [index])
    )
  })
})

describe("shards", () => {
  it("of 1 are what there was before: the same key and the same bits; more are another result", async () => {
    const [none, one, three] = [
      await run(qat),
      await run({ ...qat, shards: 1 }),
      await run({ ...qat, shards: 3 })
    ] as const
    assert.strictEqual(keyOf(one), keyOf(none))
    assert.deepStrictEqual(made(one), made(none))
    assert.notStrictEqual(keyOf(three), keyOf(none))
    assert.notDeepEqual(made(three).slice(0, 2), made(none).slice(0, 2))
    assert.strictEqual(made(three)[2], made(none)[2], "the same samples are used")
    const [whole, cut] = [metricsOf(none.entries), metricsOf(three.entries)]
    assert.deepStrictEqual(Object.keys(cut[0]!), Object.keys(whole[0]!))
    for (const [name, value] of Object.entries(cut[0]!)) {
      assert.isBelow(Math.abs(value - whole[0]![name]!), 1e-4 * Math.abs(value) + 1e-9, name)
    }
  })

  it("give the same bits again, and in a run that was interrupted", async () => {
    const sharded = { ...qat, shards: 4 }
    const [one, other, stopped] = [await run(sharded), await run(sharded), await run(sharded, 1)]
    const { directory } = stopped
    const rest = await run(sharded, undefined, directory)
    assert.deepStrictEqual(made(other), made(one))
    assert.deepStrictEqual(made(rest), made(one))
    assert.deepStrictEqual([...metricsOf(stopped.entries), ...metricsOf(rest.entries)], metricsOf(one.entries))
  })
})

describe("shardParameters", () => {
  it("of f32 are what there was before; bf16 is another result, the same again and in a run that was interrupted", async () => {
    const sharded = { ...qat, shards: 3 }
    const rounded = { ...sharded, shardParameters: "bf16" }
    const [none, single, half, stopped] = [
      await run(sharded),
      await run({ ...sharded, shardParameters: "f32" }),
      await run(rounded),
      await run(rounded, 1)
    ] as const
    assert.strictEqual(keyOf(single), keyOf(none))
    assert.deepStrictEqual(made(single), made(none))
    assert.notStrictEqual(keyOf(half), keyOf(none))
    assert.notDeepEqual(made(half).slice(0, 2), made(none).slice(0, 2))
    const rest = await run(rounded, undefined, stopped.directory)
    assert.deepStrictEqual(made(rest), made(half))
    const [whole, near] = [none, half].map(
      ({ entries }) => metricsOf(entries).find((metrics) => "gradientNorm" in metrics)!
    ) as [Metrics, Metrics]
    assert.notStrictEqual(near["gradientNorm"], whole["gradientNorm"])
    assert.isBelow(Math.abs(near["loss"]! - whole["loss"]!), 0.01 * whole["loss"]!)
  })

  it("are rounded to the nearest, but for those of grids, and travel in half the bytes without loss", async () => {
    const backend = await openBackend("native:none")
    const folder = mkdtempSync(join(tmpdir(), "speedq-parameters-"))
    try {
      const random = Random.make(1, "parameters")
      const numbers = () => Float32Array.from({ length: 4096 }, () => random.nextNormal())
      const given = { "a.weight": numbers(), "a.scaleFactor": numbers() }
      const names = Object.keys(given) as (keyof typeof given)[]
      assert.deepStrictEqual(names.map(isOfGrid), [false, true])
      const parameters = Object.fromEntries(names.map((name) => [name, tensor(backend, given[name], [64, 64])]))
      const before = backend.usage().buffers
      const step = stepParameters(parameters, "bf16")
      const valuesOf = (tensors: Parameters) =>
        Promise.all(names.map(async (name) => (await tensors[name]!.read()) as Float32Array))
      const [values, factors] = await valuesOf(step.parameters)
      assert.deepStrictEqual(values, bf16ToF32(f32ToBf16(given["a.weight"])))
      assert.deepStrictEqual(factors, given["a.scaleFactor"])

      const saved = (format: "f32" | "bf16") => {
        const path = join(folder, `${format}.safetensors`)
        return Effect.map(saveParameters(path, { parameters: step.parameters, format }), ({ bytes }) => ({
          path,
          bytes
        }))
      }
      const back = await Effect.runPromise(
        Effect.gen(function* () {
          const [single, half] = [yield* saved("f32"), yield* saved("bf16")]
          assert.closeTo(single.bytes - half.bytes, 2 * 4096, 64)
          return yield* loadParameters(backend, half.path)
        }).pipe(Effect.provide(NodeServices.layer))
      )
      assert.deepStrictEqual(await valuesOf(back), [values, factors])
      releaseParameters(back)
      step.release()
      assert.strictEqual(backend.usage().buffers, before)
    } finally {
      await backend.close()
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
