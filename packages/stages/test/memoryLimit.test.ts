/** What a limit of memory does: plans say what fits and how, runs keep to it or are refused before they begin. */
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Machine, Preflight, PreflightFailed, processBytes, Recipe } from "@speedq/pipeline"
import { type Backend, Random, tensor } from "@speedq/tensors"
import { readModelConfig } from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { assert, describe, it } from "vitest"
import { Compute } from "../src/compute/Compute.ts"
import { keptBytes } from "../src/planning/cost.ts"
import { ReleasedConfigs } from "../src/planning/plannedModel.ts"
import { stages } from "../src/registry/stages.ts"
import { decideRematerialization } from "../src/training/Rematerialization.ts"
import { makeNanoRuns, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("limit", runs)

const recipeOf = (qat: object, limit?: number) => ({
  version: 1,
  name: "limited",
  model,
  stages: [{ ...shortStages.qat, ...qat }],
  ...(limit === undefined ? {} : { memory: { limit: `${limit} B` } })
})

const planOf = (recipe: object, machine: Partial<Machine> = {}) =>
  Effect.runPromise(
    Effect.gen(function* () {
      const offered = yield* Machine
      return yield* Preflight.plan(yield* Recipe.decode(stages, recipe), join(root, "none"), { time: false }).pipe(
        Effect.provideService(Machine, { ...offered, ...machine })
      )
    }).pipe(Effect.provide(NodeServices.layer))
  )

const linesOf = ({ stages: [stage] }: Preflight.Plan): string => stage!.forecast.lines.join("\n")

describe("a plan", () => {
  it("computes decoder layers again where keeping them would not fit, and says which and what that saves", async () => {
    const [keeping, again] = await Promise.all(
      [false, true].map(async (rematerialize) => (await planOf(recipeOf({ rematerialize }))).memoryBytes)
    )
    assert.isBelow(again!, keeping!)
    const [enough, short, tooShort] = await Promise.all(
      [keeping!, keeping! - 1, again! - 1].map((limit) => planOf(recipeOf({}, limit)))
    )
    assert.strictEqual(enough!.memoryBytes, keeping)
    assert.match(linesOf(enough!), /keeps the inner values of decoder layers; recomputing them would take/)
    assert.deepStrictEqual(enough!.problems, [])
    assert.strictEqual(short!.memoryBytes, again)
    assert.match(linesOf(short!), /recomputes decoder layers in the backward pass; keeping .* would take/)
    assert.deepStrictEqual(short!.problems, [])
    assert.match(tooShort!.problems[0]!.issue, /^it needs .* of memory, but only .* is available$/)
  })

  it("takes less with moments in fewer bits, and says where that would fit", async () => {
    const [single, half, coded] = await Promise.all(
      ["f32", "bf16", "int8"].map((optimizerStates) => planOf(recipeOf({ rematerialize: true, optimizerStates })))
    )
    assert.isBelow(half!.memoryBytes, single!.memoryBytes)
    assert.isBelow(coded!.memoryBytes, half!.memoryBytes)
    // Parameter and two moments: 12 bytes, or 8.
    assert.strictEqual(half!.diskBytes < single!.diskBytes, true)
    const inFile = await planOf(recipeOf({ rematerialize: true, teacherWeights: "file" }))
    assert.isBelow(inFile.memoryBytes, single!.memoryBytes)
    assert.match(linesOf(inFile), /reads the teacher's decoder from its file for every micro-batch: .* less in memory/)
    const both = await planOf(recipeOf({ rematerialize: true, teacherWeights: "file", optimizerStates: "int8" }))
    const saidWith = async (limit: number) => linesOf(await planOf(recipeOf({}, limit)))
    assert.match(
      await saidWith(inFile.memoryBytes),
      /it would fit with teacherWeights "file" and decoder layers recomputed: /
    )
    assert.match(
      await saidWith(half!.memoryBytes),
      /it would fit with optimizerStates "bf16" and decoder layers recomputed: /
    )
    assert.match(
      await saidWith(both.memoryBytes),
      /it would fit with teacherWeights "file", optimizerStates "int8" and /
    )
    assert.notMatch(linesOf(await planOf(recipeOf({}, 2 ** 20))), /it would fit/)
  })

  it("counts the rounded parameters that a step begins from: 4 bytes for each that is trained", async () => {
    const [plain, rounded, saved] = await Promise.all(
      [{}, { shardParameters: "bf16" }, { optimizerStates: "bf16" }].map((more) =>
        planOf(recipeOf({ rematerialize: true, ...more }))
      )
    )
    // Two moments in 2 bytes instead of 4 save as much as one copy takes, but for what an update widens.
    assert.isAtLeast(rounded!.memoryBytes - plain!.memoryBytes, plain!.memoryBytes - saved!.memoryBytes)
    assert.strictEqual(rounded!.diskBytes, plain!.diskBytes)
  })

  it("asks the machine where the recipe sets no limit", async () => {
    const { memoryLimitBytes, problems } = await planOf(recipeOf({}), { memoryBytes: Effect.succeed(2 ** 20) })
    assert.strictEqual(memoryLimitBytes, 2 ** 20)
    assert.match(problems[0]!.issue, /only 1 MiB is available/)
  })

  it("knows what a released model needs before it is there, and tells once that it is not", async () => {
    const absent = join(root, "absent")
    const recipe = { ...recipeOf({}), model: absent, stages: [shortStages.qat, { use: "export", format: "packed" }] }
    const plan = (config: boolean) =>
      Effect.runPromise(
        Effect.gen(function* () {
          return yield* Preflight.plan(yield* Recipe.decode(stages, recipe), join(root, "none"), { time: false })
        }).pipe(
          Effect.provideService(ReleasedConfigs, () => (config ? readModelConfig(model) : undefined)),
          Effect.provide(NodeServices.layer)
        )
      )
    const known = await plan(true)
    assert.isAbove(known.memoryBytes, processBytes)
    assert.deepStrictEqual(
      known.problems.map(({ stage, issue }) => [stage, issue]),
      [["all", `${absent} has neither model.safetensors nor pytorch_model.bin, nor an index of shards`]]
    )
    assert.match((await plan(false)).problems[0]!.issue, /config\.json/)
  })
})

describe("a run", () => {
  it("is refused before it begins, with the numbers", async () => {
    const { exit, entries } = await runs.run(recipeOf({}, 2 ** 27), join(root, "refused"))
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(error, PreflightFailed)
    assert.match(error.message, /qat: it needs .* MiB of memory, but only 128 MiB is available/)
    assert.deepStrictEqual(
      entries.map(({ tag }) => tag),
      ["RunFailed"]
    )
  })

  it("keeps its tensors to what the process leaves of the limit", async () => {
    const spare = 2 ** 20
    const compute = Compute.layer({ backend: "native", memoryLimit: processBytes + spare })
    const allocate = (bytes: number) =>
      Effect.gen(function* () {
        const { backend } = yield* Compute
        return tensor(backend, new Float32Array(bytes / 4), [bytes / 4]).release()
      }).pipe(Effect.provide(Layer.fresh(compute)), Effect.scoped)
    await Effect.runPromise(allocate(spare))
    const exit = await Effect.runPromiseExit(allocate(spare + 4))
    assert.match(Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : "", /cannot allocate 1048580 bytes/)
  })

  it("decides for each micro-batch by its tokens and by what is live", () => {
    const config = readModelConfig(model)
    const random = Random.make(5)
    for (let i = 0; i < 50; i++) {
      const [live, size, length] = [random.nextInteger(2 ** 28), 1 + random.nextInteger(4), 1 + random.nextInteger(900)]
      const backend = { usage: () => ({ buffers: 0, bytes: live, peakBytes: live }) } as Backend
      const kept = keptBytes(config, { tokens: size * length, fakeQuantized: true, rematerialize: false })
      const needed = live + kept + processBytes + 1000
      const decide = (
        bytes: number | undefined,
        rematerialize: boolean | "auto" = "auto",
        { apart = false, onHost = 1000 } = {}
      ) =>
        decideRematerialization({
          backend,
          config,
          optimization: { rematerialize },
          fakeQuantized: true,
          budget: { bytes, apart },
          features: [{ bytes: () => onHost, of: async () => undefined }, undefined]
        })({ size, length, tileKeys: [] }, {})
      assert.isFalse(decide(needed))
      assert.isTrue(decide(needed - 1))
      assert.isFalse(decide(0, false))
      assert.isTrue(decide(needed, true))
      // On a device of its own, what the host holds does not count; what is not known there is not counted on.
      const apart = { apart: true, onHost: 2 ** 40 }
      assert.isFalse(decide(live + kept, "auto", apart))
      assert.isTrue(decide(live + kept - 1, "auto", apart))
      assert.isTrue(decide(undefined, "auto", apart))
      assert.isFalse(decide(undefined, false, apart))
    }
  })
})
