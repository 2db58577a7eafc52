/** When a stage saves, and what it keeps: by steps, by seconds, when its end fails, and never once the directory is another's. */
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { TestClock } from "effect/testing"
import { assert } from "vitest"
import { RunDirectory } from "../src/directory/RunDirectory.ts"
import { LockLost, StageFailed } from "../src/Errors.ts"
import * as Sinks from "../src/events/sinks/Sinks.ts"
import { Surroundings } from "../src/machine/Machine.ts"
import * as Recipe from "../src/run/Recipe.ts"
import * as Artefact from "../src/stage/Artefact.ts"
import * as Codec from "../src/stage/Codec.ts"
import * as Stage from "../src/stage/Stage.ts"
import { temporaryDirectory } from "./support/toyProcess.ts"
import { collect } from "./support/toyRun.ts"

const Count = Artefact.make("count", "how far it counted", Codec.json(Schema.Int))

/** A stage that counts; what else happens in its steps and at its end is given from outside. */
const counting = (
  steps: number,
  during: (done: number) => Effect.Effect<void, Error>,
  end: Effect.Effect<void, Error> = Effect.void,
  isIntact?: () => boolean
) =>
  Stage.define({
    name: "counting",
    version: 1,
    config: Schema.Struct({}),
    gives: [Count],
    begin: () =>
      Effect.succeed({
        steps,
        state: Codec.json(Schema.Int),
        initial: Effect.succeed(0),
        step: (count: number, done: number) => Effect.as(during(done), { state: count + 1, metrics: { count } }),
        finish: (count: number) => Effect.as(end, { output: { count } }),
        ...(isIntact && { isIntact })
      })
  }).stage({})

const run = (
  directory: string,
  stage: ReturnType<typeof counting>,
  save: { readonly everySteps?: number; readonly everySeconds?: number }
) =>
  Effect.gen(function* () {
    const output = collect()
    const recipe = Recipe.make({ name: "counting", model: "none", save }).pipe(Recipe.andThen(stage))
    const layer = Sinks.plainLines(output).pipe(
      Layer.provideMerge(RunDirectory.layer(directory)),
      Layer.provideMerge(NodeServices.layer)
    )
    const exit = yield* Effect.exit(Effect.provide(Recipe.run(recipe), layer))
    const saved = [...output.text().matchAll(/saved step (\d+)/g)].map(([, step]) => Number(step))
    return { exit, saved, printed: output.text() }
  })

const stageFiles = (directory: string) => readdirSync(join(directory, "stages", "01-counting")).sort()
const nothing = () => Effect.void
const errorOf = (exit: Exit.Exit<unknown, unknown>) => (Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined)

describe("saving", () => {
  it.effect("by steps, by seconds, whichever comes first; not after the last step", () =>
    Effect.gen(function* () {
      const second = () => TestClock.adjust(Duration.seconds(1))
      const bySteps = yield* run(join(temporaryDirectory(), "run"), counting(10, second), { everySteps: 4 })
      assert.deepStrictEqual(bySteps.saved, [4, 8])
      const bySeconds = yield* run(join(temporaryDirectory(), "run"), counting(10, second), { everySeconds: 3 })
      assert.deepStrictEqual(bySeconds.saved, [3, 6, 9])
      const both = yield* run(join(temporaryDirectory(), "run"), counting(10, second), {
        everySteps: 4,
        everySeconds: 3
      })
      assert.deepStrictEqual(both.saved, [3, 4, 7, 8])
      const neither = yield* run(join(temporaryDirectory(), "run"), counting(10, second), {})
      assert.deepStrictEqual(neither.saved, [])
      assert.deepStrictEqual(neither.exit, Exit.succeed({ count: 10 }))
    })
  )

  it.effect("by seconds that pass, also when the date is set back and forth", () =>
    Effect.gen(function* () {
      const [day, clock] = [86_400_000, yield* Clock.Clock]
      let ahead = 0
      // What passes on it is as before; only the date jumps.
      const jumping: Clock.Clock = Object.assign(Object.create(clock), {
        currentTimeMillisUnsafe: () => clock.currentTimeMillisUnsafe() + ahead,
        currentTimeMillis: Effect.map(clock.currentTimeMillis, (now) => now + ahead)
      })
      const during = (done: number) => {
        ahead = [0, 0, 0, day, day, day, day, -day][done] ?? -day
        return TestClock.adjust(Duration.seconds(1))
      }
      const { saved, printed } = yield* run(join(temporaryDirectory(), "run"), counting(10, during), {
        everySeconds: 3
      }).pipe(Effect.provideService(Clock.Clock, jumping))
      assert.deepStrictEqual(saved, [3, 6, 9])
      assert.match(printed, /finished in 10\.0 s/)
    })
  )

  it.effect("keeps the newest state and the one before it, and only them", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const seen: Array<ReadonlyArray<string>> = []
      const look = () =>
        Effect.sync(() => void seen.push(stageFiles(directory).filter((name) => name.startsWith("step"))))
      yield* run(directory, counting(8, look), { everySteps: 2 })
      const states = (...steps: ReadonlyArray<number>) => steps.map((step) => `step-0000000${step}.safetensors`)
      assert.deepStrictEqual(seen.slice(2), [
        states(2),
        states(2),
        states(2, 4),
        states(2, 4),
        states(4, 6),
        states(4, 6)
      ])
      assert.deepStrictEqual(stageFiles(directory), [
        "by-products.safetensors",
        "count.safetensors",
        "manifest.copy.json",
        "manifest.json",
        "report.json"
      ])
    })
  )

  it.effect("a stage whose end fails is saved after its last step, and only its end is done again", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const broken = yield* run(directory, counting(5, nothing, Effect.fail(new Error("no room"))), {})
      assert.instanceOf(errorOf(broken.exit), StageFailed)
      assert.deepStrictEqual(broken.saved, [5])
      const repaired = yield* run(
        directory,
        counting(5, () => Effect.die("no step is left")),
        {}
      )
      assert.include(repaired.printed, "continuing after step 5 of 5")
      assert.deepStrictEqual(repaired.exit, Exit.succeed({ count: 5 }))
    })
  )

  const failing = (at: number) => (done: number) =>
    done === at ? Effect.fail(new Error("no such picture.")) : Effect.void

  it.effect("a stage whose step fails is saved after the step before, where that left the state alone", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const broken = yield* run(
        directory,
        counting(9, failing(5), Effect.void, () => true),
        { everySteps: 2 }
      )
      assert.deepStrictEqual(broken.saved, [2, 4, 5])
      const error = errorOf(broken.exit)
      assert.instanceOf(error, StageFailed)
      assert.strictEqual(
        error.message,
        "stage 01-counting stopped at step 5 of 9: no such picture. Step 5 is saved: the same command continues after it."
      )
      assert.include((yield* run(directory, counting(9, nothing), {})).printed, "continuing after step 5 of 9")
    })
  )

  it.effect("a step that may have changed a part of the state is not saved; what is, is said", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const unsure = yield* run(directory, counting(9, failing(5)), { everySteps: 2 })
      const spoilt = yield* run(
        join(temporaryDirectory(), "run"),
        counting(9, failing(5), Effect.void, () => false),
        {}
      )
      assert.deepStrictEqual([unsure.saved, spoilt.saved], [[2, 4], []])
      const messages = [unsure, spoilt].map(({ exit }) => (errorOf(exit) as StageFailed).message)
      assert.include(messages[0], "no such picture. Step 4 is saved: the same command continues after it.")
      assert.match(messages[1]!, /no such picture\.$/)
    })
  )

  it.effect("a failed save hides nothing: the step's failure is told, and the state that there is", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const steal = (done: number) =>
        Effect.suspend(() => {
          if (done < 5) return Effect.void
          writeFileSync(join(directory, "run.lock"), JSON.stringify({ token: "thief" }))
          return Effect.fail(new Error("no such picture"))
        })
      const { exit, saved } = yield* run(
        directory,
        counting(9, steal, Effect.void, () => true),
        { everySteps: 2 }
      )
      assert.deepStrictEqual(saved, [2, 4])
      assert.match((errorOf(exit) as StageFailed).message, /at step 5 of 9: no such picture\. Step 4 is saved/)
    })
  )

  it.effect("an interruption waits for the end of the step, saves, and ends as an interruption", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const finished: Array<number> = []
      const slow = (done: number) =>
        Effect.andThen(
          Effect.sleep("1 minute"),
          Effect.sync(() => void finished.push(done + 1))
        )
      const fiber = yield* Effect.forkChild(run(directory, counting(10, slow), {}))
      while (finished.length < 3) {
        yield* Effect.yieldNow
        yield* TestClock.adjust("30 seconds")
      }
      fiber.interruptUnsafe()
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.await(fiber)
      const { manifest } = JSON.parse(readFileSync(join(directory, "stages", "01-counting", "manifest.json"), "utf8"))
      assert.strictEqual(manifest.checkpoints[0].step, finished.length)
      const continued = yield* run(directory, counting(10, nothing), {})
      assert.include(continued.printed, `continuing after step ${finished.length} of 10`)
      assert.deepStrictEqual(continued.exit, Exit.succeed({ count: 10 }))
    })
  )

  it.effect("a step that fails after the interruption is told as a failure, not as a save", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const begun: Array<number> = []
      const failing = (done: number) =>
        Effect.gen(function* () {
          begun.push(done)
          yield* Effect.sleep("1 minute")
          if (done === 2) yield* Effect.fail(new Error("no such image"))
        })
      const fiber = yield* Effect.forkChild(run(directory, counting(10, failing), {}))
      while (begun.length < 3) {
        yield* Effect.yieldNow
        if (begun.length > 0) yield* TestClock.adjust("30 seconds")
      }
      fiber.interruptUnsafe()
      yield* TestClock.adjust("2 minutes")
      yield* Fiber.await(fiber)
      const log = readFileSync(join(directory, "events.jsonl"), "utf8")
      assert.include(log, "stage 01-counting stopped at step 2 of 10: no such image")
      assert.notInclude(log, '"event":"Interrupted"')
    })
  )

  it.effect("a run whose lock is taken away stops, and writes nothing into the directory any more", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const lock = join(directory, "run.lock")
      const steal = (done: number) =>
        Effect.sync(() => {
          if (done !== 5) return
          const owner = JSON.parse(readFileSync(lock, "utf8"))
          writeFileSync(lock, JSON.stringify({ ...owner, token: "thief", pid: 4711 }))
        })
      const { exit, saved } = yield* run(directory, counting(20, steal), { everySteps: 4 })
      const error = errorOf(exit)
      assert.instanceOf(error, StageFailed)
      assert.instanceOf(error.cause, LockLost)
      assert.include(error.message, "stopped at step 8 of 20")
      assert.deepStrictEqual(saved, [4])
      assert.deepStrictEqual(
        stageFiles(directory).filter((name) => name.startsWith("step")),
        ["step-00000004.safetensors"]
      )
      assert.strictEqual(JSON.parse(readFileSync(lock, "utf8")).token, "thief")
      assert.notInclude(readFileSync(join(directory, "events.jsonl"), "utf8"), "RunFailed")
      assert.include(readFileSync(join(directory, "report.html"), "utf8"), "The run is working.")
    })
  )

  it.effect("the report is there from the start, and is written again every few minutes", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const page = () => readFileSync(join(directory, "report.html"), "utf8")
      const pages: Array<string> = []
      // Writing takes real time, which the clock of the test does not wait for.
      const written = (words: string) =>
        Effect.promise(async () => {
          const end = performance.now() + 10_000
          while (!page().includes(words) && performance.now() < end) await new Promise((done) => setTimeout(done, 5))
          pages.push(page())
        })
      const during = (done: number) => {
        if (done === 0) return written("0 of 1 stages done")
        return done === 5 ? Effect.andThen(TestClock.adjust(Duration.minutes(4)), written("5/8")) : Effect.void
      }
      yield* run(directory, counting(8, during), {})
      assert.lengthOf(pages, 2)
      assert.include(pages[0], "counting: running, 0 of 1 stages done, at 01-counting")
      assert.include(pages[1], '<td class="number">5/8</td>')
      assert.include(pages[1], "The run is working.")
      assert.include(page(), "counting: finished, 1 of 1 stages done")
      assert.notInclude(page(), "The run is working.")
    })
  )

  it.effect("another backend than before is told when the run continues", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const on = (backend: string) =>
        Effect.provideService(run(directory, counting(3, nothing), {}), Surroundings, { backend })
      yield* on("native")
      assert.notInclude((yield* on("native")).printed, "warning")
      assert.include(
        (yield* on("gpujs:webasm")).printed,
        'warning: not the same surroundings as before, so bits may differ: backend: "native" -> "gpujs:webasm"'
      )
      assert.strictEqual(
        JSON.parse(readFileSync(join(directory, "run.json"), "utf8")).surroundings.backend,
        "gpujs:webasm"
      )
    })
  )

  it.effect("another adapter continues, which run.json tells from then on; what is finished stands", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const on = (backend: string, host: string) =>
        Effect.provideService(run(directory, counting(3, nothing), {}), Surroundings, { backend, host })
      const [one, other] = ["gpujs:webgpu (nvidia, hopper)", "gpujs:webgpu (amd, rdna-3)"]
      yield* on(one, "here")
      const record = () => JSON.parse(readFileSync(join(directory, "run.json"), "utf8"))
      assert.notProperty(record(), "changes")
      yield* on(one, "there")
      assert.notProperty(record(), "changes")
      const { printed } = yield* on(other, "there")
      assert.include(printed, "finished before, reused")
      yield* on(other, "there")
      yield* on(one, "there")
      const changed = (before: string, after: string) => ({
        field: "backend",
        before: JSON.stringify(before),
        after: JSON.stringify(after)
      })
      assert.deepStrictEqual(
        record().changes.map(({ at: _, ...change }: { readonly at: string }) => change),
        [changed(one, other), changed(other, one)]
      )
      assert.lengthOf(record().continuedAt, 4)
    })
  )

  /** A stage whose numbers come later; those of the step after `bad` steps are an error. */
  const tellingLater = (steps: number, heard: Array<string>, bad = -1, broken = -1) =>
    Stage.define({
      name: "counting",
      version: 1,
      config: Schema.Struct({}),
      gives: [Count],
      begin: () =>
        Effect.succeed(
          Stage.program({
            steps,
            state: Codec.json(Schema.Int),
            initial: Effect.succeed(0),
            step: (count: number, done: number) =>
              Effect.suspend(() => {
                heard.push(`step ${done + 1}`)
                if (done === broken) return Effect.fail(new Error("no such picture"))
                const numbers = Effect.suspend(() => {
                  heard.push(`numbers ${done + 1}`)
                  return done === bad ? Effect.fail(new Error("no number")) : Effect.succeed({ count })
                })
                return Effect.succeed({ state: count + 1, metrics: numbers })
              }),
            isIntact: () => true,
            finish: (count: number) => Effect.succeed({ output: { count } })
          })
        )
    }).stage({})

  it.effect("numbers that come later are asked for when the next step has begun, and before a save", () =>
    Effect.gen(function* () {
      const heard: Array<string> = []
      const { saved, exit, printed } = yield* run(join(temporaryDirectory(), "run"), tellingLater(4, heard), {
        everySteps: 3
      })
      const order = ["step 1", "step 2", "numbers 1", "step 3", "numbers 2", "numbers 3", "step 4", "numbers 4"]
      assert.deepStrictEqual(heard, order)
      assert.deepStrictEqual(saved, [3])
      assert.deepStrictEqual(exit, Exit.succeed({ count: 4 }))
      assert.match(printed, /step 1\/4 .*count 0[\s\S]*step 4\/4 .*count 3/)
    })
  )

  it.effect("where they fail their step did not happen, nor the one after it, and what was before is saved", () =>
    Effect.gen(function* () {
      const directory = join(temporaryDirectory(), "run")
      const heard: Array<string> = []
      const failed = yield* run(directory, tellingLater(9, heard, 4), {})
      assert.deepStrictEqual(heard.slice(-2), ["step 6", "numbers 5"])
      assert.match((errorOf(failed.exit) as StageFailed).message, /at step 4 of 9: no number\. Step 4 is saved/)
      assert.deepStrictEqual(failed.saved, [4])
      const continued = yield* run(directory, tellingLater(9, []), {})
      assert.include(continued.printed, "continuing after step 4 of 9")
      assert.deepStrictEqual(continued.exit, Exit.succeed({ count: 9 }))
    })
  )

  it.effect("a step that fails is told of after the numbers of the one before, and that one counts", () =>
    Effect.gen(function* () {
      const failed = yield* run(join(temporaryDirectory(), "run"), tellingLater(9, [], -1, 5), {})
      assert.match((errorOf(failed.exit) as StageFailed).message, /at step 5 of 9: no such picture\. Step 5 is saved/)
      const both = yield* run(join(temporaryDirectory(), "run"), tellingLater(9, [], 4, 5), {})
      assert.match((errorOf(both.exit) as StageFailed).message, /at step 4 of 9: no number\. Step 4 is saved/)
    })
  )
})
