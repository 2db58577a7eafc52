/** Everything that stands in the way is told at once, before anything is written. */
import { existsSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import { assert } from "vitest"
import { PreflightFailed } from "../src/Errors.ts"
import { Machine } from "../src/machine/Machine.ts"
import { TensorMemory } from "../src/machine/TensorMemory.ts"
import * as Preflight from "../src/plan/Preflight.ts"
import * as Recipe from "../src/run/Recipe.ts"
import * as Forecast from "../src/stage/Forecast.ts"
import * as Stage from "../src/stage/Stage.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"
import { recipeOf, runHere } from "./support/toyRun.ts"
import { ToyVit, toyStages } from "./toy/stages.ts"

const gib = 2 ** 30
const machine: Machine = {
  description: {},
  memoryBytes: Effect.succeed(8 * gib),
  diskFreeBytes: () => Effect.succeed(20 * gib)
}

/** A stage that needs what it is told, and files. */
const Needy = Stage.define({
  name: "needy",
  version: 1,
  config: Schema.Struct({
    memory: Schema.Number,
    state: Schema.Number,
    files: Schema.Array(Schema.String),
    tensors: Schema.optionalKey(Schema.Number),
    largest: Schema.optionalKey(Schema.Number),
    broken: Schema.optionalKey(Schema.Boolean),
    slow: Schema.optionalKey(Schema.Boolean)
  }),
  forecast: ({ memory, tensors, largest, state, files, broken, slow }) =>
    Effect.gen(function* () {
      if (broken) return yield* Effect.fail(new Error("config.json has no hidden_size"))
      const obstacles = yield* Forecast.missingFiles(files, "download the model")
      return Forecast.make({
        obstacles,
        memoryBytes: memory,
        ...(tensors === undefined ? {} : { tensorBytes: tensors }),
        ...(largest === undefined ? {} : { largest: { tensor: "head.weight [9, 9] in f32", bytes: largest } }),
        checkpointBytes: state,
        outputBytes: gib,
        seconds: 90,
        lines: ["mlp: 2 bits by rule 0"],
        ...(slow ? { time: Effect.succeed({ seconds: 30, lines: ["timed here"] }) } : {})
      })
    }),
  begin: () => Effect.die("must not begin")
})

const small = { memory: gib, state: gib, files: [] }
/** A GPU with memory of its own, a tenth of which is lost. */
const gpu: TensorMemory = {
  device: "gpujs:webgpu (nvidia)",
  ...{ bytes: 4 * gib, source: "nvidia-smi", shared: false, largestBytes: 2 * gib, overhead: 0.1 }
}
const onGpu = (memory: Partial<TensorMemory> = {}) =>
  Effect.provideService(TensorMemory, Effect.succeed({ ...gpu, ...memory }))
const bare = Recipe.make({ name: "needy", model: "none" })
const onMachine = Effect.provideService(Machine, machine)

describe("Preflight", () => {
  it.effect("lists every problem of every stage, with numbers and what to do", () =>
    Effect.gen(function* () {
      const directory = temporaryDirectory()
      const recipe = bare.pipe(
        Recipe.andThen(ToyVit.stage({ floats: 1001 })),
        Recipe.andThen(Needy.stage({ ...small, memory: 12 * gib, files: [directory, "/nowhere/a", "/nowhere/b"] })),
        Recipe.andThen(Needy.stage({ ...small, state: 7 * gib })),
        Recipe.andThen(Needy.stage({ ...small, broken: true }))
      )
      const error = yield* Effect.flip(Preflight.check(recipe, directory))
      assert.instanceOf(error, PreflightFailed)
      assert.deepStrictEqual(error.message.split("\n"), [
        "the run cannot start:",
        "  01-toy-vit: values has 1001, which group 4 does not divide (1 left over); choose a group that divides 1001, or another rule for values",
        "  02-needy: /nowhere/a does not exist or cannot be read; download the model",
        "  02-needy: /nowhere/b does not exist or cannot be read; download the model",
        "  04-needy-3: config.json has no hidden_size",
        "  02-needy: it needs 12 GiB of memory, but only 8 GiB is available; use smaller batches or shorter sequences, free memory, or raise memory.limit",
        `  all: results and saved states need 23 GiB more in ${directory}, but only 20 GiB is free; free some space or choose a directory on another disk`
      ])
    }).pipe(onMachine, Effect.provide(NodeServices.layer))
  )

  it.effect("says what a run will take when nothing is in its way", () =>
    Effect.gen(function* () {
      const recipe = Recipe.make({ name: "needy", model: "none", memory: { limit: "4 GiB" } }).pipe(
        Recipe.andThen(Needy.stage(small)),
        Recipe.andThen(Needy.stage({ ...small, memory: 2 * gib }))
      )
      const plan = yield* Preflight.check(recipe, "/nowhere/yet")
      assert.deepStrictEqual(
        plan.stages.map(({ place, forecast }) => [place, forecast.memoryBytes, forecast.outputBytes, forecast.seconds]),
        [
          ["01-needy", gib, gib, 90],
          ["02-needy-2", 2 * gib, gib, 90]
        ]
      )
      assert.deepStrictEqual(
        [plan.memoryBytes, plan.memoryLimitBytes, plan.diskBytes, plan.diskFreeBytes, plan.seconds],
        [2 * gib, 4 * gib, 5 * gib, 20 * gib, 180]
      )
    }).pipe(onMachine, Effect.provide(NodeServices.layer))
  )

  it.effect("a plan finds times that take a while to find, and what a run checks does not", () =>
    Effect.gen(function* () {
      const recipe = bare.pipe(
        Recipe.andThen(Needy.stage({ ...small, slow: true })),
        Recipe.andThen(Needy.stage(small))
      )
      const timesOf = ({ seconds, stages }: Preflight.Plan) => [seconds, stages.map(({ forecast }) => forecast.lines)]
      const lines = ["mlp: 2 bits by rule 0"]
      const planned = yield* Preflight.plan(recipe, "/nowhere/yet")
      assert.deepStrictEqual(timesOf(planned), [120, [[...lines, "timed here"], lines]])
      assert.isFalse(planned.stages.some(({ forecast }) => "time" in forecast))
      assert.deepStrictEqual(timesOf(yield* Preflight.check(recipe, "/nowhere/yet")), [180, [lines, lines]])
    }).pipe(onMachine, Effect.provide(NodeServices.layer))
  )

  it.effect("a recipe's own limit on memory is kept", () =>
    Effect.gen(function* () {
      const recipe = Recipe.make({ name: "needy", model: "none", memory: { limit: "512 MiB" } }).pipe(
        Recipe.andThen(Needy.stage(small))
      )
      const error = yield* Effect.flip(Preflight.check(recipe, temporaryDirectory()))
      assert.include(error.message, "it needs 1 GiB of memory, but only 512 MiB is available")
    }).pipe(onMachine, Effect.provide(NodeServices.layer))
  )

  it.effect("tensors of a device count there, and everything else with the process", () =>
    Effect.gen(function* () {
      const recipe = bare.pipe(
        Recipe.andThen(Needy.stage({ ...small, memory: 3 * gib, tensors: 2 * gib, largest: gib / 4 })),
        Recipe.andThen(Needy.stage({ ...small, memory: gib })),
        Recipe.andThen(Needy.stage({ ...small, memory: 0 }))
      )
      const { stages, memoryBytes, device, problems } = yield* Preflight.plan(recipe, "/nowhere/yet").pipe(onGpu())
      const on = (bytes: number) => Math.ceil(1.1 * bytes)
      assert.deepStrictEqual(
        stages.map(({ forecast }) => [forecast.memoryBytes, forecast.deviceBytes]),
        // Two copies of the largest tensor on its way; a stage that does not tell its tensors may need all of it in both.
        [
          [gib + gib / 2, on(2 * gib)],
          [gib, on(gib)],
          [0, 0]
        ]
      )
      assert.deepStrictEqual([memoryBytes, device?.neededBytes], [1.5 * gib, on(2 * gib)])
      assert.deepStrictEqual(problems, [])
    }).pipe(onMachine, Effect.provide(NodeServices.layer))
  )

  it.effect("refuses what a device has no room for, in all or at once; what is not known is not refused", () =>
    Effect.gen(function* () {
      const recipe = bare.pipe(
        Recipe.andThen(Needy.stage({ ...small, memory: 9 * gib, tensors: 8 * gib, largest: 3 * gib }))
      )
      const problems = (memory: Partial<TensorMemory>) =>
        Effect.map(Preflight.plan(recipe, "/nowhere/yet").pipe(onGpu(memory)), (plan) =>
          plan.problems.map(({ issue, fix }) => `${issue}; ${fix}`)
        )
      const all =
        "its tensors need 8.8 GiB of the memory of gpujs:webgpu (nvidia), but only 4 GiB is available (nvidia-smi); use smaller batches or shorter sequences, free memory of the device, correct memory.device, or take --backend native"
      const largest =
        "head.weight [9, 9] in f32 takes 3 GiB, but gpujs:webgpu (nvidia) binds at most 2 GiB at once; use smaller batches or shorter sequences where it is of those, or take --backend native"
      assert.deepStrictEqual(yield* problems({}), [all, largest])
      assert.deepStrictEqual(yield* problems({ bytes: 9 * gib }), [largest])
      assert.deepStrictEqual(yield* problems({ bytes: undefined, largestBytes: 3 * gib }), [])
      const error = yield* Effect.flip(Preflight.check(recipe, temporaryDirectory()).pipe(onGpu()))
      assert.instanceOf(error, PreflightFailed)
    }).pipe(onMachine, Effect.provide(NodeServices.layer))
  )

  it.effect("a device without memory of its own shares the host's", () =>
    Effect.gen(function* () {
      const recipe = bare.pipe(
        Recipe.andThen(Needy.stage({ ...small, memory: 7 * gib, tensors: 6 * gib, largest: gib })),
        Recipe.andThen(Needy.stage({ ...small, memory: 2 * gib }))
      )
      const shared = onGpu({ bytes: undefined, source: "the host's memory", shared: true })
      const { stages, problems } = yield* Preflight.plan(recipe, "/nowhere/yet").pipe(shared)
      assert.deepStrictEqual(
        stages.map(({ forecast }) => forecast.memoryBytes),
        [3 * gib + Math.ceil(6.6 * gib), Math.ceil(2.2 * gib)]
      )
      assert.match(problems[0]!.issue, /^it needs 9.6 GiB of memory, but only 8 GiB is available/)
      assert.lengthOf(problems, 1)
    }).pipe(onMachine, Effect.provide(NodeServices.layer))
  )

  it.live("a run says that a device's memory is not known before it takes any", () =>
    Effect.gen(function* () {
      const unknown = onGpu({ bytes: undefined, source: "nothing tells it" })
      const { printed } = yield* runHere(
        join(temporaryDirectory(), "run"),
        recipeOf([{ use: "toy-vit", floats: 8 }])
      ).pipe(unknown)
      assert.match(
        printed,
        /warning: how much memory gpujs:webgpu \(nvidia\) has is not known \(nothing tells it\); .* memory\.device/
      )
    })
  )

  it.live("a run that fails it writes nothing but the reason", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const { exit } = yield* runHere(directory, recipeOf([{ use: "toy-vit", floats: 1001 }]))
      assert.instanceOf(Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined, PreflightFailed)
      assert.isFalse(existsSync(join(directory, "run.json")))
      assert.isFalse(existsSync(join(directory, "stages", "01-toy-vit")))
    })
  )

  it.live("says which results stand, which are made again and why, and counts the work of those alone", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const stages = [
        { use: "toy-vit", steps: 2 },
        { use: "toy-projector", steps: 2 }
      ]
      const planned = (settings: object, changed: ReadonlyArray<object> = stages) =>
        Recipe.decode(toyStages, recipeOf(changed as typeof stages, settings)).pipe(
          Effect.flatMap((recipe) => Preflight.plan(recipe, directory)),
          Effect.map((plan) => plan.stages.map(({ finished, stale }) => stale ?? finished)),
          Effect.provide(NodeServices.layer)
        )
      assert.deepStrictEqual(yield* planned({}), [false, false])
      yield* runHere(directory, recipeOf(stages))
      assert.deepStrictEqual(yield* planned({}), [true, true])
      assert.deepStrictEqual(yield* planned({ seed: 5 }), ["seed: 7 -> 5", "seed: 7 -> 5"])
      const longer = [{ use: "toy-vit", steps: 3 }, stages[1]!]
      assert.deepStrictEqual(yield* planned({}, longer), ["config.steps: 2 -> 3", "a stage before it runs again"])
      // What a recipe left behind is found again.
      yield* runHere(directory, recipeOf(stages, { seed: 5 }))
      assert.deepStrictEqual(yield* planned({}), [true, true])
    })
  )

  it.live("what a finished stage keeps is not asked for again", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const recipe = recipeOf([{ use: "toy-vit", steps: 2, floats: 4000 }])
      yield* runHere(directory, recipe)
      const full = { ...machine, diskFreeBytes: () => Effect.succeed(0) }
      const { exit } = yield* Effect.provideService(runHere(directory, recipe), Machine, full)
      assert.isTrue(Exit.isSuccess(exit))
    })
  )
})
