/**
 * A GPU that goes away in the middle of a run: the run ends with what is saved, says how it goes on, and goes on. On Dawn's null adapter,
 * which computes nothing, with a small stage; on an adapter that computes, with training, to the same bits: skipped where there is none
 * (docs/webgpu.md names a driver).
 */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import {
  Artefact,
  Codec,
  type Entry,
  Events,
  isEntryOf,
  Recipe,
  RunDirectory,
  RunEvents,
  Stage,
  StageFailed,
  Surroundings
} from "@speedq/pipeline"
import { addInto, type Backend, DeviceLost, type Tensor, tensor } from "@speedq/tensors"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { create } from "webgpu"
import { describeFailure } from "../../pipeline/src/run/describeFailure.ts"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { makeQueuedBackend } from "../../tensors/src/backends/gpujs/queuedBackend.ts"
import { openDevice } from "../../tensors/src/backends/gpujs/webgpu/openDevice.ts"
import { makeWebgpuDevice } from "../../tensors/src/backends/gpujs/webgpu/webgpuDevice.ts"
import { importGpujs } from "../../tensors/src/backends/optionalPackages.ts"
import { loadTensor, tensorSource } from "../src/artefacts/tensorCodec.ts"
import { Compute } from "../src/compute/Compute.ts"
import { ComputeFailed, computing } from "../src/compute/computing.ts"
import { SampleWorkers } from "../src/data/SampleWorkers.ts"
import { stages } from "../src/registry/stages.ts"
import { shortStages, writeNanoModel } from "./support/nano.ts"

const { GPU } = await importGpujs("gpujs:webgpu")
const root = mkdtempSync(join(tmpdir(), "speedq-lost-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Dawn crashes when the object behind its adapters is collected while they live. */
const adapters = { null: create(["backend=null"]), real: create([]) }

interface Opened {
  readonly backend: Backend
  /** Takes the device away, as a reset of its driver does. */
  readonly lose: () => void
}

/** The webgpu mode without the probe that only an adapter which computes passes. */
const open = async (gpu: globalThis.GPU): Promise<Opened> => {
  Object.defineProperty(globalThis, "navigator", { value: { gpu }, configurable: true })
  const opened = await openDevice({ mode: "webgpu", software: true })
  const backend = makeQueuedBackend(makeWebgpuDevice(GPU, opened, { debug: false, wgsl: true }))
  return { backend, lose: () => opened.device.destroy() }
}

const computeOn = ({ backend }: Opened) =>
  Layer.effect(
    Compute,
    Effect.acquireRelease(Effect.succeed({ backend }), () => Effect.promise(() => backend.close()))
  )

/** Runs a recipe on a device of its own; `loseAfter` takes the device away when that step is done. */
const runOn = async <A, L, E>(
  gpu: globalThis.GPU,
  recipe: Recipe.Recipe<A, L, E, Compute | SampleWorkers>,
  directory: string,
  loseAfter?: number
) => {
  const opened = await open(gpu)
  const entries: Entry[] = []
  const exit = await Effect.runPromiseExit(
    Effect.gen(function* () {
      const events = yield* Events
      const write = (entry: Entry) => {
        entries.push(entry)
        if (isEntryOf(RunEvents.StepDone, entry) && entry.event.step === loseAfter) opened.lose()
      }
      yield* events.subscribe({ write, flush: Effect.void })
      return yield* Recipe.run(recipe).pipe(Effect.provideService(Surroundings, { backend: opened.backend.name }))
    }).pipe(
      Effect.scoped,
      Effect.provide(
        Layer.mergeAll(RunDirectory.layer(directory), SampleWorkers.layer({ count: 1 }), computeOn(opened))
      ),
      Effect.provide(NodeServices.layer)
    ) as Effect.Effect<unknown, unknown>
  )
  return { exit, entries, said: Exit.isFailure(exit) ? describeFailure(exit.cause, false) : "" }
}

/** What must be true of a run whose device went away after a step, with a state of another saved. */
const assertEnded = (
  { exit, said }: Awaited<ReturnType<typeof runOn>>,
  { directory, after, saved }: { readonly directory: string; readonly after: number; readonly saved: number }
) => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  assert.instanceOf(error, StageFailed)
  assert.deepStrictEqual([error.step, error.saved], [after, saved])
  const { cause } = error
  assert.isTrue(
    cause instanceof DeviceLost || (cause instanceof ComputeFailed && cause.kind === "DeviceLost"),
    String(cause)
  )
  assert.match(
    said,
    /^error: stage .* lost its device .* goes on from what is saved\. Step \d+ is saved: the same command continues after it\.$/
  )
  assert.isFalse(existsSync(join(directory, "run.lock")))
  assert.isUndefined(JSON.parse(readFileSync(join(directory, "run.json"), "utf8")).changes)
}

const sumsCodec = Codec.make({
  data: Schema.Struct({}),
  save: ({ sums }: { readonly sums: Tensor }) => ({ data: {}, tensors: [tensorSource("sums", sums)] }),
  load: (_, file) =>
    Effect.gen(function* () {
      const { backend } = yield* Compute
      return { sums: yield* loadTensor(backend, file, "sums", "state") }
    })
})
const Sums = Artefact.make("sums", "numbers that were added up", Codec.json(Schema.Struct({ steps: Schema.Int })))

/** Adds numbers on the device, and reads them back: on the null adapter whatever they are. */
const Adding = Stage.define({
  name: "adding",
  version: 1,
  config: Schema.Struct({ steps: Schema.Int }),
  gives: [Sums],
  begin: ({ steps }) =>
    Effect.gen(function* () {
      const { backend } = yield* Compute
      return {
        steps,
        state: sumsCodec,
        initial: Effect.sync(() => ({ sums: tensor(backend, [1, 2, 3], [3]) })),
        step: (state: { readonly sums: Tensor }) =>
          computing(async () => {
            addInto(state.sums, state.sums)
            await state.sums.read()
            return { state, metrics: { loss: 1 } }
          }),
        isIntact: () => true,
        finish: () => Effect.succeed({ output: { sums: { steps } } })
      }
    })
})

describe("a run whose GPU goes away", () => {
  const recipe = Recipe.make({ name: "adding", model: "none", save: { everySteps: 2 } }).pipe(
    Recipe.andThen(Adding.stage({ steps: 6 }))
  )

  it("ends at once with what is saved, gives its directory back, and goes on when it is told to", async () => {
    const directory = join(root, "adding")
    const lost = await runOn(adapters.null, recipe, directory, 3)
    assertEnded(lost, { directory, after: 3, saved: 2 })
    const { exit, entries } = await runOn(adapters.null, recipe, directory)
    assert.isTrue(Exit.isSuccess(exit))
    const lines = entries.map((entry) => entry.line())
    assert.include(lines, "continuing after step 2 of 6")
  })

  it("that goes away while a state is saved leaves the one before", async () => {
    const directory = join(root, "saving")
    // The state of step 4 is read after its event, from a device that is gone.
    const lost = await runOn(adapters.null, recipe, directory, 4)
    assertEnded(lost, { directory, after: 4, saved: 2 })
    const { exit } = await runOn(adapters.null, recipe, directory)
    assert.isTrue(Exit.isSuccess(exit))
    const kept = existsSync(join(directory, "superseded"))
    assert.isFalse(kept)
  })
})

const computes = await adapters.real
  .requestAdapter()
  .then((adapter) => adapter !== null)
  .catch(() => false)
const reason = computes ? "" : ": skipped, there is no adapter that computes"

describe.skipIf(!computes)(`training whose GPU goes away${reason}`, { timeout: 900_000 }, () => {
  let model: string
  beforeAll(async () => {
    model = await writeNanoModel(join(root, "model"))
  })

  it("goes on from the saved step to the bits of a run that nothing disturbed, on the same class of adapter", async () => {
    const json = {
      version: 1,
      name: "lost",
      model,
      seed: 7,
      save: { everySteps: 1 },
      stages: [{ ...shortStages.qat, batch: 1, accumulation: 1, maxSteps: 3, loss: { confidenceBatches: 1 } }]
    }
    const recipe = Effect.runSync(Recipe.decode(stages, json)) as unknown as Parameters<typeof runOn>[1]
    const [whole, broken] = [join(root, "whole"), join(root, "broken")]
    assert.isTrue(Exit.isSuccess((await runOn(adapters.real, recipe, whole)).exit))
    assertEnded(await runOn(adapters.real, recipe, broken, 2), { directory: broken, after: 2, saved: 1 })
    const { exit, entries } = await runOn(adapters.real, recipe, broken)
    assert.isTrue(Exit.isSuccess(exit))
    assert.isFalse(entries.some(({ tag }) => tag === RunEvents.SurroundingsChanged.tag))
    assert.deepStrictEqual(resultsOf(broken), resultsOf(whole))
  })
})
