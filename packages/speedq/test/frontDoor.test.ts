/** A run in code: from one import, with no layer; its events; interrupted and continued. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { afterAll, assert, describe, it } from "vitest"
import { bilevel, Export, isEntryOf, Qat, Recipe, Run, RunEvents, rule } from "../src/index.ts"
import { shippedNano } from "../src/shipped/shipped.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-front-door-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const twoBits = [rule("**", bilevel({ bits: 2, group: 16, scaleGroup: 16 }))]
const recipe = Recipe.make({ name: "front door", model: join(shippedNano, "model"), seed: 7 }).pipe(
  Recipe.andThen(
    Qat.stage({
      data: { meta: join(shippedNano, "datasets.json"), percent: 1 },
      quantizers: twoBits,
      loss: { cakld: 0 },
      batch: 2,
      accumulation: 1,
      maxSteps: 4
    })
  ),
  Recipe.andThen(Export.stage({ format: "packed" }))
)
const settings = (name: string) =>
  ({ directory: join(root, name), backend: "native:none", progress: "silent" }) as const
const exportOf = (name: string) => readFileSync(join(root, name, "model/packed/model.safetensors"))

describe("Run", () => {
  it("start needs no layer and gives what the last stage gives", async () => {
    const seen: string[] = []
    const { exported } = await Effect.runPromise(
      Run.start(recipe, { ...settings("whole"), onEvent: ({ tag }) => seen.push(tag) })
    )
    assert.strictEqual(exported.format, "packed")
    assert.strictEqual(seen.filter((tag) => tag === "StepDone").length, 4)
    assert.strictEqual(seen.at(-1), "RunFinished")
    const status = Option.getOrThrow(await Effect.runPromise(Run.status(join(root, "whole"))))
    assert.strictEqual(status.state, "finished")
  })

  it("events is the same run as a stream that ends with it", async () => {
    const entries = await Effect.runPromise(Stream.runCollect(Run.events(recipe, settings("stream"))))
    const losses = entries.flatMap((entry) =>
      isEntryOf(RunEvents.StepDone, entry) ? [entry.event.metrics["loss"]] : []
    )
    assert.strictEqual(losses.length, 4)
    assert.isTrue(losses.every((loss) => Number.isFinite(loss)))
    assert.deepEqual(exportOf("stream"), exportOf("whole"))
  })

  it("a stream that is left early leaves a saved run, which start continues to the same bytes", async () => {
    const isSecondStep = (entry: Run.Entry) => isEntryOf(RunEvents.StepDone, entry) && entry.event.step === 2
    await Effect.runPromise(Run.events(recipe, settings("left")).pipe(Stream.takeUntil(isSecondStep), Stream.runDrain))
    const stopped = Option.getOrThrow(await Effect.runPromise(Run.status(join(root, "left"))))
    assert.strictEqual(stopped.state, "interrupted")
    assert.isAtLeast(stopped.stages[0]!.savedStep, 2)
    await Effect.runPromise(Run.start(recipe, settings("left")))
    assert.deepEqual(exportOf("left"), exportOf("whole"))
  })

  it("interrupting the fiber saves", async () => {
    const stopped = await Effect.runPromise(
      Effect.gen(function* () {
        const running = yield* Effect.forkChild(
          Run.start(recipe, {
            ...settings("fiber"),
            onEvent: (entry) => {
              if (isEntryOf(RunEvents.StepDone, entry) && entry.event.step === 1) running.interruptUnsafe()
            }
          })
        )
        yield* Fiber.await(running)
        return yield* Run.status(join(root, "fiber"))
      })
    )
    assert.strictEqual(Option.getOrThrow(stopped).state, "interrupted")
    await Effect.runPromise(Run.start(recipe, settings("fiber")))
    assert.deepEqual(exportOf("fiber"), exportOf("whole"))
  })

  it("does not compile with a backend that does not exist", () => {
    // @ts-expect-error there is no such backend
    const misspelt: Run.RunSettings = { directory: "x", backend: "natvie" }
    const named: readonly Run.RunSettings["backend"][] = ["auto", "native:none", "native:/lib/blas.so", "gpujs:webgpu"]
    assert.notInclude(named, misspelt.backend)
  })

  it("fails with the run's own errors", async () => {
    const missing = Recipe.make({ name: "x", model: join(root, "none") }).pipe(
      Recipe.andThen(Qat.stage({ data: { meta: "none.json" }, quantizers: twoBits }))
    )
    const error = await Effect.runPromise(Effect.flip(Run.start(missing, settings("missing"))))
    assert.strictEqual(error._tag, "PreflightFailed")
    const inStream = await Effect.runPromise(Effect.flip(Stream.runDrain(Run.events(missing, settings("missing2")))))
    assert.strictEqual(inStream._tag, "PreflightFailed")
  })
})
