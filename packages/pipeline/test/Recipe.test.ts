/** Recipes: types that forbid a wrong order, the same rule for JSON, errors that name the path. */
import { describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { assert, expectTypeOf } from "vitest"
import type { RunDirectory } from "../src/directory/RunDirectory.ts"
import { RecipeInvalid } from "../src/Errors.ts"
import type { Events } from "../src/events/Events.ts"
import { applyOverrides } from "../src/recipe/overrides.ts"
import { labelled } from "../src/recipe/recipeValue.ts"
import * as Recipe from "../src/run/Recipe.ts"
import { Compat } from "../src/settings/options.ts"
import * as Artefact from "../src/stage/Artefact.ts"
import * as Codec from "../src/stage/Codec.ts"
import * as Stage from "../src/stage/Stage.ts"
import { ToyExport, type ToyFailed, ToyProjector, ToyVit, toyStages, type Weights } from "./toy/stages.ts"

const settings = { name: "mine", model: "models/toy", seed: 7 }
const invalid = (json: unknown) => Effect.flip(Recipe.decode(toyStages, json))
const paths = (error: RecipeInvalid) => error.problems.map(({ path }) => path)

describe("in code", () => {
  const recipe = Recipe.make(settings).pipe(
    Recipe.andThen(ToyVit.stage({ steps: 3 })),
    Recipe.andThen(ToyProjector.stage({})),
    Recipe.andThen(ToyExport.stage({}))
  )

  it("the types of artefacts flow, and the last stage's are what a run returns", () => {
    const run = Recipe.run(recipe)
    type Returned = Effect.Success<typeof run>
    expectTypeOf<Returned>().toEqualTypeOf<{ readonly exported: { readonly file: string; readonly sum: number } }>()
    type Services = Effect.Services<typeof run>
    expectTypeOf<Services>().toEqualTypeOf<RunDirectory | Events | FileSystem.FileSystem | Path.Path>()
    expectTypeOf<Extract<Effect.Error<typeof run>, { readonly _tag: "StageFailed" }>["cause"]>().toExtend<unknown>()
    expectTypeOf<ToyFailed>().toExtend<Extract<Effect.Error<typeof run>, { readonly _tag: "StageFailed" }>["cause"]>()
    type Made = typeof recipe extends Recipe.Recipe<infer A, infer _L, infer _E, infer _R> ? keyof A : never
    expectTypeOf<Made>().toEqualTypeOf<"vit" | "projector" | "exported">()
    expectTypeOf<Weights>().toEqualTypeOf<{ readonly values: Float32Array }>()
  })

  it("a stage before the one that gives what it needs does not compile, and is refused where types do not look", () => {
    assert.throws(
      () =>
        Recipe.make(settings).pipe(
          // @ts-expect-error toy-projector needs "vit", which no stage gives yet
          Recipe.andThen(ToyProjector.stage({}))
        ),
      'toy-projector needs "vit" (a quantized vision tower), which no earlier stage gives'
    )
    assert.throws(() =>
      Recipe.make(settings).pipe(
        Recipe.andThen(ToyVit.stage({})),
        // @ts-expect-error toy-export needs "projector"
        Recipe.andThen(ToyExport.stage({}))
      )
    )
  })

  it("an artefact of the same name but another type does not fit", () => {
    const Other = Artefact.make("vit", "a picture of a tower", Codec.json(Schema.String))
    const Paint = Stage.define({
      name: "paint",
      version: 1,
      config: Schema.Struct({}),
      gives: [Other],
      begin: () => Effect.succeed(Stage.once(Effect.succeed({ output: { vit: "tall" } })))
    })
    assert.throws(
      () =>
        Recipe.make(settings).pipe(
          Recipe.andThen(Paint.stage({})),
          // @ts-expect-error "vit" is a text here
          Recipe.andThen(ToyProjector.stage({}))
        ),
      'takes "vit" as a quantized vision tower, but an earlier stage gives it as a picture of a tower'
    )
  })

  it("a stage that only uses what is there may come first", () => {
    const Look = Stage.define({
      name: "look",
      version: 1,
      config: Schema.Struct({}),
      uses: [Artefact.make("anything", "anything", Codec.json(Schema.String))],
      begin: (_config, { anything }) => {
        expectTypeOf(anything).toEqualTypeOf<string | undefined>()
        return Effect.succeed(Stage.once(Effect.succeed({ output: {} })))
      }
    })
    const first = Recipe.make(settings).pipe(Recipe.andThen(Look.stage({})), Recipe.andThen(ToyVit.stage({})))
    assert.deepStrictEqual(
      Recipe.make(settings)
        .pipe(Recipe.andThen(ToyVit.stage({})), Recipe.andThen(Look.stage({})))
        .stages.map(({ name }) => name),
      ["toy-vit", "look"]
    )
    assert.deepStrictEqual(
      first.stages.map(({ name }) => name),
      ["look", "toy-vit"]
    )
  })

  it("a configuration that the schema refuses throws with the path", () => {
    assert.throws(() => ToyVit.stage({ rate: -1 }), /toy-vit\.rate: Expected a value greater than 0, got -1/)
    // @ts-expect-error there is no such option
    assert.throws(() => ToyVit.stage({ rates: 1 }), /toy-vit\.rates: Unexpected key/)
  })

  it.effect("is the same recipe in JSON, with the same keys", () =>
    Effect.gen(function* () {
      const json = Recipe.toJson(recipe)
      const decoded = yield* Recipe.decode(toyStages, json)
      assert.deepStrictEqual(Recipe.toJson(decoded), json)
      assert.deepStrictEqual(
        decoded.stages.map(({ config }) => config),
        recipe.stages.map(({ config }) => config)
      )
    })
  )

  it("stages of one kind get different names and directories", () => {
    const twice = recipe.pipe(Recipe.andThen(ToyExport.stage({ name: "b" })))
    assert.deepStrictEqual(
      labelled(twice.stages).map(({ place }) => place),
      ["01-toy-vit", "02-toy-projector", "03-toy-export", "04-toy-export-2"]
    )
  })
})

describe("compat of a whole recipe", () => {
  const Quirky = Stage.define({
    name: "quirky",
    version: 1,
    config: Schema.Struct({ compat: Compat }),
    begin: () => Effect.succeed(Stage.once(Effect.succeed({ output: {} })))
  })
  const Plain = Stage.define({
    name: "plain",
    version: 1,
    config: Schema.Struct({}),
    begin: () => Effect.succeed(Stage.once(Effect.succeed({ output: {} })))
  })
  const kinds = [Quirky, Plain] as const
  const whole = { ...settings, compat: "reference" } as const
  const keyed = (recipe: Recipe.AnyRecipe) => recipe.stages.map(({ keyConfig }) => keyConfig)
  const expected = [{ compat: "reference" }, { compat: "careful" }, {}]

  it("is the default of each stage that has the option, in code, and its key says so", () => {
    const recipe = Recipe.make(whole).pipe(
      Recipe.andThen(Quirky.stage({})),
      Recipe.andThen(Quirky.stage({ compat: "careful" })),
      Recipe.andThen(Plain.stage({}))
    )
    assert.deepStrictEqual(keyed(recipe), expected)
    assert.deepStrictEqual(keyed(Recipe.make(settings).pipe(Recipe.andThen(Quirky.stage({})))), [{ compat: "careful" }])
  })

  it.effect("and in JSON, where it can be set, also for a recipe that was written out", () =>
    Effect.gen(function* () {
      const json = {
        version: 1,
        ...settings,
        stages: [{ use: "quirky" }, { use: "quirky", compat: "careful" }, { use: "plain" }]
      }
      assert.deepStrictEqual(keyed(yield* Recipe.decode(kinds, { ...json, compat: "reference" })), expected)
      const careful = yield* Recipe.decode(kinds, json)
      assert.deepStrictEqual(keyed(careful)[0], { compat: "careful" })
      const set = yield* applyOverrides(kinds, Recipe.toJson(careful), ["compat=reference"])
      const reference = yield* Recipe.decode(kinds, set)
      assert.deepStrictEqual(keyed(reference), expected)
      assert.deepStrictEqual(keyed(yield* Recipe.decode(kinds, Recipe.toJson(reference))), expected)
    })
  )
})

describe("in JSON", () => {
  const good = { version: 1, ...settings, stages: [{ use: "toy-vit", steps: 3 }, { use: "toy-projector" }] }

  it.effect("every problem is told at once, each with its path", () =>
    Effect.gen(function* () {
      const error = yield* invalid({
        version: 2,
        name: "x",
        stages: [{ use: "toy-vit", steps: "many", floats: 1.5 }, { use: "toy-projektor" }, { steps: 3 }],
        colour: "red"
      })
      assert.instanceOf(error, RecipeInvalid)
      assert.sameMembers([...paths(error)], ["version", "model", "colour", "stages[2].use"])
      const stagesOnly = yield* invalid({
        ...good,
        stages: [{ use: "toy-vit", steps: "many", floats: 1.5, step: 3 }, { use: "toy-projektor" }]
      })
      assert.sameMembers(
        [...paths(stagesOnly)],
        ["01-toy-vit.steps", "01-toy-vit.floats", "01-toy-vit.step", "02-toy-projektor.use"]
      )
      assert.include(
        stagesOnly.message,
        '02-toy-projektor.use: there is no stage "toy-projektor"; did you mean toy-projector'
      )
      assert.include(stagesOnly.message, '01-toy-vit.steps: Expected number, got "many"')
    })
  )

  it.effect("a wrong order is refused with the stage to put first", () =>
    Effect.gen(function* () {
      const error = yield* invalid({ ...good, stages: [...good.stages].reverse() })
      assert.deepStrictEqual(error.problems, [
        {
          path: "01-toy-projector",
          issue:
            'toy-projector needs "vit" (a quantized vision tower), which no earlier stage gives; put toy-vit before it'
        }
      ])
    })
  )

  it.effect("has a thousand stages at most", () =>
    Effect.gen(function* () {
      const { problems } = yield* invalid({ ...good, stages: Array.from({ length: 200_000 }, () => good.stages[0]) })
      const issue = "it has 200000 entries, more than the 1000 that are taken"
      assert.deepStrictEqual(problems, [{ path: "stages", issue }])
    })
  )

  it.effect("what is not a recipe at all is refused", () =>
    Effect.gen(function* () {
      for (const json of [null, 3, "x", [], {}, { ...good, stages: [] }, { ...good, stages: "toy-vit" }]) {
        assert.instanceOf(yield* invalid(json), RecipeInvalid)
      }
    })
  )
})
