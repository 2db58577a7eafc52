/** Keys tell the truth: what decides a result is in them, what does not is not; and what was made under another key is said to be stale. */
import { createHash } from "node:crypto"
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import { option, optionalOption } from "@speedq/formats"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type { Json } from "effect/Schema"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { assert } from "vitest"
import { RunDirectory } from "../src/directory/RunDirectory.ts"
import { emit } from "../src/events/Events.ts"
import { Warning } from "../src/events/runEvents.ts"
import * as Sinks from "../src/events/sinks/Sinks.ts"
import { canonicalJson } from "../src/json/canonicalJson.ts"
import { Build } from "../src/machine/Build.ts"
import { runReport } from "../src/overview/runReport.ts"
import { status } from "../src/overview/status.ts"
import * as Recipe from "../src/run/Recipe.ts"
import * as Artefact from "../src/stage/Artefact.ts"
import * as Codec from "../src/stage/Codec.ts"
import { withoutPolicy } from "../src/stage/policy.ts"
import * as Stage from "../src/stage/Stage.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"
import { collect } from "./support/toyRun.ts"

/** Versions of a quantizer that the stages below compute with. */
const QuantizerVersion = Context.Reference<number>("test/QuantizerVersion", { defaultValue: () => 1 })

const Count = Artefact.make("count", "a number", Codec.json(Schema.Number))
const Total = Artefact.make("total", "a larger number", Codec.json(Schema.Number))

class Stopped extends Schema.TaggedError<Stopped>()("Stopped", { step: Schema.Int }) {}

const CountConfig = Schema.Struct({
  by: option(Schema.Int, 1, { description: "What a step adds." }),
  says: option(Schema.String, "", { description: "What every step says.", policy: true }),
  stopAt: optionalOption(Schema.Int, { description: "The step before which it fails.", policy: true }),
  overwrites: optionalOption(Schema.String, { description: "A file that its first step changes.", policy: true })
})

/** Adds `by` four times. */
const Counting = Stage.define({
  name: "count",
  version: 1,
  config: CountConfig,
  gives: [Count],
  versions: () => Effect.map(QuantizerVersion, (version) => ({ "quantizer toy": version })),
  begin: ({ by, says, stopAt, overwrites }) =>
    Effect.succeed(
      Stage.program({
        steps: 4,
        state: Codec.json(Schema.Number),
        initial: Effect.succeed(0),
        step: (state: number, done) =>
          Effect.gen(function* () {
            if (stopAt === done + 1) return yield* new Stopped({ step: stopAt })
            if (overwrites !== undefined) writeFileSync(overwrites, "changed")
            if (says !== "") yield* emit(Warning, { message: says })
            return { state: state + by, metrics: { loss: 1 / (done + 1) } }
          }),
        finish: (count: number) =>
          Effect.succeed({
            output: { count },
            report: [{ _tag: "Table", title: "Evaluation", columns: ["count"], rows: [[count]], front: true }]
          })
      })
    )
})

/** Adds the bytes of a file to the count, and says so in a table of scores. */
const Adding = Stage.define({
  name: "add",
  version: 1,
  config: Schema.Struct({ file: Schema.String }),
  needs: [Count],
  gives: [Total],
  fingerprint: ({ file }) => Effect.sync(() => readFileSync(file, "utf8")),
  begin: ({ file }, { count }) =>
    Effect.sync(() => {
      const total = count + readFileSync(file).length
      const table = { _tag: "Table", title: "Evaluation", columns: ["total"], rows: [[total]], front: true } as const
      return Stage.once(Effect.succeed({ output: { total }, report: [table] }))
    })
})

const runIn = (directory: string, stages: ReadonlyArray<object>, settings: object = {}) =>
  Effect.gen(function* () {
    const output = collect()
    const json = { version: 1, name: "keys", model: "none", save: { everySteps: 1 }, ...settings, stages }
    const exit = yield* Recipe.decode([Counting, Adding], json).pipe(
      Effect.flatMap(Recipe.run),
      Effect.provide(
        Sinks.plainLines(output).pipe(
          Layer.provideMerge(RunDirectory.layer(directory)),
          Layer.provideMerge(NodeServices.layer)
        )
      ),
      Effect.exit
    )
    return { exit, printed: output.text() }
  })

const statesOf = (directory: string) =>
  Effect.map(Effect.provide(status(directory), NodeServices.layer), (found) =>
    Option.getOrThrow(found).stages.map(({ state }) => state)
  )
const reportOf = (directory: string) =>
  Effect.map(Effect.provide(runReport(directory), NodeServices.layer), Option.getOrThrow)
const pageOf = (directory: string) => readFileSync(join(directory, "report.html"), "utf8")

/** A run of both stages on a file, which is given back. */
const whole = Effect.gen(function* () {
  const root = temporaryDirectory()
  const [directory, file] = [join(root, "run"), join(root, "data")]
  writeFileSync(file, "data")
  const { exit, printed } = yield* runIn(directory, [{ use: "count" }, { use: "add", file }])
  assert.isTrue(Exit.isSuccess(exit), printed)
  assert.deepStrictEqual(yield* statesOf(directory), ["finished", "finished"])
  return { directory, file }
})

describe("policy options", () => {
  const Nested = Schema.Struct({
    keep: option(Schema.Int, 1, { description: "kept" }),
    workers: option(Schema.Int, 1, { description: "policy", policy: true }),
    cache: option(Schema.ByteSizeFromString, "1 GiB", { description: "policy behind a transformation", policy: true })
  })
  const Config = Schema.Struct({
    nested: Nested,
    optional: option(Nested, {}, { description: "a struct with a default" }),
    either: Schema.Union([Schema.String, Nested]),
    list: Schema.Array(Nested),
    named: Schema.Record(Schema.String, Nested)
  })

  it("are left out at any depth, and nothing else is", () => {
    const nested = { keep: 2, workers: 8, cache: "4 GiB" }
    const config = (value: Json) => ({
      nested: value,
      optional: value,
      either: value,
      list: [value],
      named: { a: value }
    })
    const ast = SchemaAST.toEncoded(Config.ast)
    assert.deepStrictEqual(withoutPolicy(ast, config(nested)), config({ keep: 2 }))
    assert.deepStrictEqual(withoutPolicy(ast, { either: "text" }), { either: "text" })
  })

  it.live("may be changed when a stage is finished, and while it is begun: it continues with the new policy", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const first = yield* runIn(directory, [{ use: "count", says: "old", stopAt: 3 }])
      assert.isTrue(Exit.isFailure(first.exit))
      const second = yield* runIn(directory, [{ use: "count", says: "new" }])
      assert.include(second.printed, "01-count: continuing after step 2 of 4")
      assert.notInclude(second.printed, "warning: 01-count: old")
      assert.strictEqual([...second.printed.matchAll(/warning: 01-count: new/g)].length, 2)
      const third = yield* runIn(directory, [{ use: "count", says: "again" }])
      assert.include(third.printed, "01-count: finished before, reused")
    })
  )
})

describe("of a recipe's settings", () => {
  it.live("the seed alone is part of a key", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* whole
      const stages = [{ use: "count" }, { use: "add", file }]
      const others = { name: "other", model: "elsewhere", save: { everySteps: 3 }, memory: { limit: "1 GiB" } }
      const { printed } = yield* runIn(directory, stages, others)
      assert.strictEqual([...printed.matchAll(/finished before, reused/g)].length, 2)
      assert.include((yield* runIn(directory, stages, { seed: 8 })).printed, "01-count: runs again (seed: 42 -> 8)")
    })
  )
})

describe("versions of what a stage computes with", () => {
  it.live("are part of its key", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* whole
      const stages = [{ use: "count" }, { use: "add", file }]
      const raised = yield* Effect.provideService(runIn(directory, stages), QuantizerVersion, 2)
      assert.include(raised.printed, "01-count: runs again (versions.quantizer toy: 1 -> 2)")
      assert.match(raised.printed, /02-add: runs again \(inputs.count: /)
    })
  )
})

describe("another build of the same versions", () => {
  it.live("continues, and says so in events and report", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const by = (build: string, stopAt?: number) =>
        Effect.provideService(
          runIn(directory, [{ use: "count", ...(stopAt === undefined ? {} : { stopAt }) }]),
          Build,
          build
        )
      const first = yield* by("one", 3)
      assert.notInclude(first.printed, "another build")
      const second = yield* by("two")
      assert.include(second.printed, "warning: 01-count: made by another build of the same versions (one; this is two)")
      assert.include(second.printed, "01-count: continuing after step 2 of 4")
      const third = yield* by("three")
      assert.include(third.printed, "made by another build of the same versions (two; this is three)")
      assert.include(third.printed, "01-count: finished before, reused")
      const page = pageOf(directory)
      assert.include(page, "Made by one, then two.")
      assert.include(page, "<td>three</td>")
      assert.include(page, "made by another build of the same versions (one; this is two)")
    })
  )

  it.live("is told once of stages that it is the same of, and for each where they differ", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* whole
      const by = (build: string, ...stages: Parameters<typeof runIn>[1]) =>
        Effect.provideService(runIn(directory, stages), Build, build)
      yield* by("two", { use: "count" }, { use: "add", file })
      assert.match(pageOf(directory), /<td>01-count, 02-add<\/td><td>made by another build/)
      writeFileSync(file, "other data")
      yield* by("three", { use: "count" }, { use: "add", file })
      assert.include(pageOf(directory), '<th scope="col">made by</th>')
      assert.include(pageOf(directory), "<td>three</td>")
    })
  )

  it.live("is not told where it computed everything itself", () =>
    Effect.gen(function* () {
      const { directory } = yield* whole
      assert.notInclude(pageOf(directory), "made by")
    })
  )
})

describe("a directory of an earlier format", () => {
  it.live("is kept aside, and its stage runs again", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* whole
      const stage = join(directory, "stages/01-count")
      const { manifest } = JSON.parse(readFileSync(join(stage, "manifest.json"), "utf8"))
      const old = { ...manifest, format: 1 }
      const sha256 = createHash("sha256").update(canonicalJson(old)).digest("hex")
      writeFileSync(join(stage, "manifest.json"), JSON.stringify({ sha256, manifest: old }))
      rmSync(join(stage, "manifest.copy.json"))
      const { exit, printed } = yield* runIn(directory, [{ use: "count" }, { use: "add", file }])
      assert.isTrue(Exit.isSuccess(exit), printed)
      assert.include(
        printed,
        "01-count: runs again (manifest.format: 1 -> 2); the old result is in superseded/01-count-format-1"
      )
      assert.deepStrictEqual(readdirSync(join(directory, "superseded")), ["01-count-format-1"])
      assert.include(printed, "02-add: finished before, reused")
    })
  )
})

describe("stale results", () => {
  it.live("are what a changed recipe has not made anew yet; status and report say so", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* whole
      assert.notInclude(pageOf(directory), "stale)")
      const changed = { use: "count", by: 5 }
      const { exit } = yield* runIn(directory, [
        { ...changed, stopAt: 3 },
        { use: "add", file }
      ])
      assert.isTrue(Exit.isFailure(exit))
      assert.deepStrictEqual(yield* statesOf(directory), ["begun", "stale"])

      const { chapters, front } = yield* reportOf(directory)
      const chapter = chapters.find(({ title }) => title === "02-add (stale)")
      assert.isTrue(chapter?.stale)
      assert.match(JSON.stringify(chapter?.sections[0]), /Stale: .*It will be computed again/)
      // No valid scores are there: the report begins with how far the run is, and the stale ones stay in their chapter.
      assert.deepStrictEqual(
        front?.map(({ _tag }) => _tag),
        ["Headline"]
      )
      assert.deepInclude(front?.[0], { sentence: "keys: failed, 0 of 2 stages done, at 01-count" })
      assert.deepInclude(chapter?.sections[1], { title: "Evaluation", columns: ["total"], rows: [[8]] })
      assert.deepInclude(
        chapters[0]!.sections.find(({ title }) => title === "Stages"),
        { stale: [1] }
      )
      const page = pageOf(directory)
      assert.match(page, /<section class="stale"><h2 id="c\d">02-add \(stale\)<\/h2>/)
      assert.match(page, /<tr class="stale"><th scope="row" class="short">02-add<\/th><td>stale<\/td>/)

      yield* runIn(directory, [changed, { use: "add", file }])
      assert.deepStrictEqual(yield* statesOf(directory), ["finished", "finished"])
      assert.notInclude(pageOf(directory), "stale)")
      assert.notInclude(pageOf(directory), 'class="stale"')
    })
  )

  it.live("stand in their chapter, and scores that still hold at the head", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* whole
      writeFileSync(file, "other data")
      const before = { use: "count" }
      const stopped = yield* runIn(directory, [before, { use: "count", by: 2, stopAt: 2 }, { use: "add", file }])
      assert.isTrue(Exit.isFailure(stopped.exit))
      assert.deepStrictEqual(yield* statesOf(directory), ["finished", "begun", "waiting"])
      yield* runIn(directory, [before, { use: "count", by: 2 }, { use: "add", file }])
      const again = yield* runIn(directory, [before, { use: "count", by: 3, stopAt: 2 }, { use: "add", file }])
      assert.isTrue(Exit.isFailure(again.exit))
      assert.deepStrictEqual(yield* statesOf(directory), ["finished", "begun", "stale"])
      const { chapters, front } = yield* reportOf(directory)
      const stale = chapters.find(({ title }) => title === "03-add (stale)")?.sections[1]
      assert.deepInclude(front?.at(-1), { title: "Evaluation", columns: ["count"], rows: [[4]] })
      assert.deepInclude(stale, { title: "Evaluation", columns: ["total"], rows: [[18]] })
    })
  )

  it.live("are none when data changed while the run was under way", () =>
    Effect.gen(function* () {
      const { directory, file } = yield* whole
      const stages = [
        { use: "count", by: 7, overwrites: file },
        { use: "add", file },
        { use: "add", file }
      ]
      const { exit, printed } = yield* runIn(directory, stages)
      assert.isTrue(Exit.isSuccess(exit), printed)
      assert.match(printed, /02-add: runs again \(data: "data" -> "changed"; inputs.count/)
      assert.deepStrictEqual(yield* statesOf(directory), ["finished", "finished", "finished"])
    })
  )
})
