/** The arithmetic of stages: in their keys, said before and while they run, refused or another by choice. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { assert } from "vitest"
import { type Entry, isEntryOf } from "../src/events/Events.ts"
import { Warning } from "../src/events/runEvents.ts"
import * as Preflight from "../src/plan/Preflight.ts"
import { applyOverrides } from "../src/recipe/overrides.ts"
import type { RecipeOptions } from "../src/recipe/recipeOptions.ts"
import * as Recipe from "../src/run/Recipe.ts"
import { type Meaning, StageArithmetic } from "../src/run/StageArithmetic.ts"
import { expectedKeys } from "../src/run/stageKeys.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"
import { runHere, recipeOf as toyRecipe } from "./support/toyRun.ts"
import { ToyProjector, ToyVit, toyStages } from "./toy/stages.ts"

const small = { steps: 2, floats: 8 }
const recipeOf = (arithmetic?: RecipeOptions["arithmetic"]) =>
  Recipe.make({ name: "toys", model: "none", ...(arithmetic === undefined ? {} : { arithmetic }) }).pipe(
    Recipe.andThen(ToyVit.stage(small)),
    Recipe.andThen(ToyProjector.stage(small))
  )
const keysOf = (arithmetic?: RecipeOptions["arithmetic"]) =>
  Effect.provide(expectedKeys(recipeOf(arithmetic)), NodeServices.layer)

/** Arithmetics that work was done within. */
const within: string[] = []
const recording: (typeof StageArithmetic.Service)["within"] = (arithmetic) => (work) =>
  Effect.suspend(() => {
    within.push(arithmetic)
    return work
  })

/** A machine that has bf16, and one that has none. */
const anywhere = Effect.provideService(StageArithmetic, {
  meaningOf: (choice): Effect.Effect<Meaning> => Effect.succeed({ arithmetic: choice === "f32" ? "f32" : "bf16" }),
  within: recording
})
const onlySingle = Effect.provideService(StageArithmetic, {
  meaningOf: (choice): Effect.Effect<Meaning> =>
    Effect.succeed(
      choice === "f32"
        ? { arithmetic: "f32" }
        : choice === "bf16"
          ? { arithmetic: "bf16", detail: "no bf16 here", refused: true }
          : { arithmetic: "f32", detail: "no bf16 here" }
    ),
  within: recording
})

describe("the arithmetic of stages", () => {
  it.effect("is in the keys of those that it is chosen for, and f32 is as if nothing were chosen", () =>
    Effect.gen(function* () {
      const plain = yield* keysOf()
      assert.deepStrictEqual(yield* keysOf("f32"), plain)
      assert.deepStrictEqual(yield* keysOf({ "toy-vit": "f32" }), plain)
      const all = yield* keysOf("bf16")
      const last = yield* keysOf({ "toy-projector": "bf16" })
      const [vit, projector] = Object.keys(plain) as [string, string]
      assert.strictEqual(last[vit], plain[vit])
      assert.notStrictEqual(all[vit], plain[vit])
      assert.strictEqual(new Set([plain, all, last].map((keys) => keys[projector])).size, 3)
      assert.deepStrictEqual(yield* keysOf("bf16-or-f32"), all)
      assert.deepStrictEqual(yield* keysOf("bf16-or-f32").pipe(onlySingle), plain)
    })
  )

  it.effect("is set by the recipe's own options, and comes back from its JSON", () =>
    Effect.gen(function* () {
      const json = yield* applyOverrides(toyStages, Recipe.toJson(recipeOf()), ["arithmetic.toy-vit=bf16"])
      const decoded = yield* Recipe.decode(toyStages, json)
      assert.deepStrictEqual(decoded.settings.arithmetic, { "toy-vit": "bf16" })
      const whole = yield* applyOverrides(toyStages, json, ["arithmetic=bf16-or-f32"])
      assert.strictEqual((yield* Recipe.decode(toyStages, whole)).settings.arithmetic, "bf16-or-f32")
    })
  )

  it.effect("stands in the way where it cannot be had, and where it names no stage", () =>
    Effect.gen(function* () {
      const plan = (arithmetic: RecipeOptions["arithmetic"]) =>
        Preflight.plan(recipeOf(arithmetic), temporaryDirectory()).pipe(
          onlySingle,
          Effect.map(({ problems, stages }) => ({ problems, lines: stages.map(({ forecast }) => forecast.lines) })),
          Effect.provide(NodeServices.layer)
        )
      assert.deepStrictEqual((yield* plan("bf16")).problems, [{ stage: "all", issue: "no bf16 here" }])
      const allowed = yield* plan({ "toy-vit": "bf16-or-f32" })
      assert.deepStrictEqual(allowed.problems, [])
      assert.deepStrictEqual(allowed.lines, [["products in f32: no bf16 here"], []])
      const { problems } = yield* plan({ qat: "bf16" })
      assert.deepStrictEqual(problems, [
        {
          stage: "all",
          issue: 'arithmetic names a stage "qat", which this recipe does not have',
          fix: "name one of toy-vit, toy-projector"
        }
      ])
    })
  )

  it.effect("is what each stage works within; f32 in place of bf16 is told", () =>
    Effect.gen(function* () {
      const stages = [
        { use: "toy-vit", ...small },
        { use: "toy-projector", ...small }
      ]
      const run = (arithmetic: RecipeOptions["arithmetic"]) => {
        const entries: Entry[] = []
        const told = (entry: Entry) => void entries.push(entry)
        const ran = runHere(temporaryDirectory(), toyRecipe(stages, { arithmetic }), { told })
        return Effect.map(ran, () => entries.filter((entry) => isEntryOf(Warning, entry)).map(({ event }) => event))
      }
      within.length = 0
      const warnings = yield* run({ "toy-vit": "bf16-or-f32", "toy-projector": "f32" }).pipe(onlySingle)
      assert.deepStrictEqual(warnings, [{ message: "computes in f32: no bf16 here" }])
      assert.deepStrictEqual([...new Set(within)], ["f32"])
      within.length = 0
      assert.deepStrictEqual(yield* run("bf16").pipe(anywhere), [])
      // Both stages, before and in the run.
      assert.deepStrictEqual(within, ["bf16", "bf16", "bf16", "bf16"])
    })
  )
})
