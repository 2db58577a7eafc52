/** Data that changes while a run goes on: a stage may say that what it did stands or goes on, and its key says what it was made of. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { assert } from "vitest"
import { RunDirectory } from "../src/directory/RunDirectory.ts"
import { StageFailed } from "../src/Errors.ts"
import * as Sinks from "../src/events/sinks/Sinks.ts"
import { status } from "../src/overview/status.ts"
import * as Recipe from "../src/run/Recipe.ts"
import * as Artefact from "../src/stage/Artefact.ts"
import * as Codec from "../src/stage/Codec.ts"
import * as Stage from "../src/stage/Stage.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"
import { collect } from "./support/toyRun.ts"

const Total = Artefact.make("total", "a sum", Codec.json(Schema.Number))
const Twice = Artefact.make("twice", "twice the sum", Codec.json(Schema.Number))
const linesOf = (file: string) => readFileSync(file, "utf8").split(" ")
const Seen = Schema.fromJsonString(Schema.Array(Schema.String))

/** Adds up the first four words of a file, one a step. What it has used may not change. */
const Adding = Stage.define({
  name: "add",
  version: 1,
  config: Schema.Struct({ file: Schema.String }),
  gives: [Total],
  fingerprint: ({ file }) => Effect.sync(() => readFileSync(file, "utf8")),
  continuation: ({ file }, _recipe, { directory, state }) =>
    Effect.sync(() => {
      const seen =
        state === undefined
          ? Schema.decodeSync(Seen)(readFileSync(join(directory, "seen.json"), "utf8"))
          : (state.data as readonly string[])
      const now = linesOf(file)
      return seen.every((word, at) => now[at] === word) ? Option.some({ detail: "it goes on" }) : Option.none()
    }),
  begin: ({ file }, _input, { directory }) =>
    Effect.succeed(
      Stage.program({
        steps: 4,
        state: Codec.json(Schema.Array(Schema.String)),
        initial: Effect.succeed([]),
        step: (seen: readonly string[], done) => {
          const word = linesOf(file)[done]!
          return word === "bad"
            ? Effect.fail(new Error("a bad word"))
            : Effect.succeed({ state: [...seen, word], metrics: { loss: Number(word) } })
        },
        isIntact: () => true,
        finish: (seen: readonly string[]) =>
          Effect.sync(() => {
            writeFileSync(join(directory, "seen.json"), Schema.encodeSync(Seen)(seen))
            const total = seen.reduce((sum, word) => sum + Number(word), 0)
            return { output: { total }, files: [join(directory, "seen.json")] }
          })
      })
    )
})

/** Adds up all words of a file, each looked up in one step. What was looked up says by itself what it is of. */
const LookingUp = Stage.define({
  name: "look-up",
  version: 1,
  config: Schema.Struct({ file: Schema.String }),
  gives: [Twice],
  fingerprint: ({ file }) => Effect.sync(() => readFileSync(file, "utf8")),
  continuation: (_config, _recipe, { state }) =>
    Effect.succeed(
      state === undefined ? Option.none() : Option.some({ detail: "it keeps what it has", likeNew: true })
    ),
  begin: ({ file }, _input, { directory, before }) =>
    Effect.sync(() => {
      const words = linesOf(file)
      const finishedBefore = before === undefined ? undefined : join(before.directory, "seen.json")
      return Stage.program({
        steps: words.length,
        state: Codec.json(Schema.Array(Schema.String)),
        initial: Effect.sync(() =>
          finishedBefore === undefined ? [] : Schema.decodeSync(Seen)(readFileSync(finishedBefore, "utf8"))
        ),
        step: (known: readonly string[]) => {
          const word = words.find((each) => !known.includes(each))!
          return word === "bad"
            ? Effect.fail(new Error("a bad word"))
            : Effect.succeed({ state: [...known, word], metrics: {} })
        },
        standing: (known: readonly string[]) => words.filter((word) => known.includes(word)).length,
        isIntact: () => true,
        finish: () =>
          Effect.sync(() => {
            writeFileSync(join(directory, "seen.json"), Schema.encodeSync(Seen)(words))
            const twice = words.reduce((sum, word) => sum + Number(word), 0)
            return { output: { twice }, files: [join(directory, "seen.json")] }
          })
      })
    })
})

const Doubling = Stage.define({
  name: "double",
  version: 1,
  config: Schema.Struct({}),
  needs: [Total],
  gives: [Twice],
  begin: (_config, { total }) => Effect.succeed(Stage.once(Effect.succeed({ output: { twice: 2 * total } })))
})

const settings = { name: "words", model: "none", save: { everySteps: 1 } }
const adding = (file: string) =>
  Recipe.make(settings).pipe(Recipe.andThen(Adding.stage({ file })), Recipe.andThen(Doubling.stage({})))
const lookingUp = (file: string) => Recipe.make(settings).pipe(Recipe.andThen(LookingUp.stage({ file })))

/** Runs a recipe on words, in a directory. */
const makeRuns = (recipeOf: typeof adding | typeof lookingUp = adding) => {
  const root = temporaryDirectory()
  const [directory, file] = [join(root, "run"), join(root, "words")]
  const recipe = recipeOf(file)
  const run = (words: string) =>
    Effect.gen(function* () {
      writeFileSync(file, words)
      const output = collect()
      const layer = Sinks.plainLines(output).pipe(
        Layer.provideMerge(RunDirectory.layer(directory)),
        Layer.provideMerge(NodeServices.layer)
      )
      const exit = yield* Effect.exit(Effect.provide(Recipe.run(recipe), layer))
      return { result: Exit.isSuccess(exit) ? exit.value.twice : Cause.squash(exit.cause), printed: output.text() }
    })
  const manifest = (place: string) =>
    JSON.parse(readFileSync(join(directory, "stages", place, "manifest.json"), "utf8")).manifest
  return { directory, run, manifest }
}

describe("a change of data", () => {
  it.live("that a begun stage has not used: it goes on, and its key has both", () =>
    Effect.gen(function* () {
      const { directory, run, manifest } = makeRuns()
      const { result } = yield* run("1 2 bad 4")
      assert.instanceOf(result, StageFailed)
      const before = manifest("01-add")
      const { printed, result: continued } = yield* run("1 2 3 4")
      assert.strictEqual(continued, 20)
      assert.include(printed, "warning: 01-add: its data changed; it goes on")
      assert.include(printed, "01-add: continuing after step 2 of 4")
      const after = manifest("01-add")
      assert.notStrictEqual(after.key, before.key)
      assert.deepStrictEqual(after.parts, {
        ...before.parts,
        data: "1 2 3 4",
        before: [{ data: "1 2 bad 4", steps: 2 }]
      })
      assert.strictEqual(manifest("02-double").parts.inputs.total, after.key)
      // Its curve is whole.
      const report = readFileSync(join(directory, "report.html"), "utf8")
      assert.strictEqual(/<polyline[^>]*points="([^"]*)"/.exec(report)?.[1]?.split(" ").length, 4)
      const again = yield* run("1 2 3 4")
      assert.strictEqual(again.result, 20)
      assert.strictEqual(again.printed.match(/finished before, reused/g)?.length, 2)
      const now = Option.getOrThrow(yield* Effect.provide(status(directory), NodeServices.layer))
      assert.deepStrictEqual(
        now.stages.map(({ state }) => state),
        ["finished", "finished"]
      )
    })
  )

  it.live("that a finished stage has not used: it stands, and so does what was made of it", () =>
    Effect.gen(function* () {
      const { run, manifest } = makeRuns()
      yield* run("1 2 3 4 5")
      const before = manifest("01-add")
      const { printed, result } = yield* run("1 2 3 4")
      assert.strictEqual(result, 20)
      assert.strictEqual(printed.match(/finished before, reused/g)?.length, 2)
      assert.deepStrictEqual(manifest("01-add"), before)
    })
  )

  it.live(
    "that a finished stage has not used, while what it wrote besides is damaged: that is made anew, and the stage stands",
    () =>
      Effect.gen(function* () {
        const { directory, run, manifest } = makeRuns()
        yield* run("1 2 3 4 5")
        const before = manifest("01-add")
        for (const name of ["seen.json", "report.json"])
          writeFileSync(join(directory, "stages/01-add", name), "damaged")
        const { printed, result } = yield* run("1 2 3 4")
        assert.strictEqual(result, 20)
        assert.strictEqual(printed.match(/is damaged .*; it is made anew from its copy/g)?.length, 2)
        assert.strictEqual(printed.match(/finished before, reused/g)?.length, 2)
        assert.deepStrictEqual(manifest("01-add"), before)
        assert.strictEqual(readFileSync(join(directory, "stages/01-add/seen.json"), "utf8"), '["1","2","3","4"]')
      })
  )

  it.live("that was used, or after which nothing whole is left: the stage starts again", () =>
    Effect.gen(function* () {
      const { directory, run, manifest } = makeRuns()
      yield* run("1 2 bad 4")
      const used = yield* run("7 2 3 bad")
      assert.include(used.printed, "01-add: runs again (data:")
      assert.include(used.printed, "01-add: 4 steps")
      const { file } = manifest("01-add").checkpoints[0]
      writeFileSync(join(directory, "stages/01-add", file), "damaged")
      const damaged = yield* run("7 2 3 4")
      assert.include(damaged.printed, "01-add: 4 steps")
      assert.strictEqual(damaged.result, 32)
      assert.notProperty(manifest("01-add").parts, "before")
    })
  )

  it.live("once gone on with: a damaged result is not made again under the key of both", () =>
    Effect.gen(function* () {
      const { directory, run, manifest } = makeRuns()
      yield* run("1 2 bad 4")
      yield* run("1 2 3 4")
      writeFileSync(join(directory, "stages/01-add/total.safetensors"), "damaged")
      const { result, printed } = yield* run("1 2 3 4")
      assert.strictEqual(result, 20)
      assert.include(printed, "01-add: 4 steps")
      assert.notProperty(manifest("01-add").parts, "before")
    })
  )
})

describe("a stage whose state says which data each part of it was made of", () => {
  it.live("goes on with the parts that stand, under the key of a new start, saved anew after as many steps", () =>
    Effect.gen(function* () {
      const { run, manifest } = makeRuns(lookingUp)
      yield* run("1 2 3 bad")
      assert.strictEqual(manifest("01-look-up").checkpoints[0].step, 3)
      const { printed } = yield* run("1 5 3 bad")
      assert.include(printed, "01-look-up: its data changed; it keeps what it has")
      assert.include(printed, "continuing after step 2 of 4")
      const { printed: again, result } = yield* run("1 5 3 4")
      assert.include(again, "continuing after step 3 of 4")
      assert.strictEqual(result, 13)
      assert.notProperty(manifest("01-look-up").parts, "before")
      assert.strictEqual(manifest("01-look-up").parts.data, "1 5 3 4")
    })
  )

  it.live("takes from a finished result what stands, and saves it before any step", () =>
    Effect.gen(function* () {
      const { directory, run } = makeRuns(lookingUp)
      yield* run("1 2 3")
      const { printed, result } = yield* run("7 2 3")
      assert.include(printed, "runs again (data:")
      assert.include(printed, "continuing after step 2 of 3")
      assert.strictEqual(result, 12)
      const events = readFileSync(join(directory, "events.jsonl"), "utf8").match(/CheckpointSaved|StepDone/g)
      assert.deepStrictEqual(events?.slice(-3), ["StepDone", "CheckpointSaved", "StepDone"])
    })
  )
})
