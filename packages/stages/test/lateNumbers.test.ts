/** Steps whose numbers a device brings later: the same results, and the same state where a number is none. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { type Entry, isEntryOf, RunEvents, StageFailed } from "@speedq/pipeline"
import type { Backend } from "@speedq/tensors"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { assert, describe, it } from "vitest"
import { Compute } from "../src/compute/Compute.ts"
import { NonFiniteGradient } from "../src/Errors.ts"
import { builtIn } from "../src/extensions/Extensions.ts"
import { makeNanoRuns, type Recording, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const hardware: NonNullable<Backend["hardware"]> = {
  adapter: "a device",
  largestBytes: 2 ** 40,
  overhead: 0,
  memory: async () => ({ bytes: 2 ** 40, source: "this test", shared: false })
}

const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

/** The step of a run whose norm is spoilt, if one is to be. */
const spoilt = { step: 0 }

const over = (backend: Backend, more: Partial<Backend>): Backend => Object.assign(Object.create(backend), more)

const withSpoiltNorm = (backend: Backend): Backend => {
  const run: Backend["run"] = (kernel, call) => {
    if (kernel.name === "clipFactor" && --spoilt.step === 0) {
      backend.fill(call.inputs.total!.handle, (bytes) => {
        new Float32Array(bytes.buffer, bytes.byteOffset, 1)[0] = Number.NaN
      })
    }
    backend.run(kernel, call)
  }
  return over(backend, { run })
}

/** A backend as if its tensors lay on a device, which takes its time to bring them. */
const onDevice = (backend: Backend): Backend =>
  over(backend, {
    hardware,
    read: async (handle) => {
      const copy = Uint8Array.from(await backend.read(handle))
      await pause(2)
      return copy
    }
  })

const computeOn = (change: (backend: Backend) => Backend) =>
  Layer.effect(
    Compute,
    Effect.map(Compute, ({ backend }) => Compute.of({ backend: change(withSpoiltNorm(backend)) }))
  ).pipe(Layer.provide(Compute.layer({ backend: "native" })))

const native = makeNanoRuns(
  builtIn,
  computeOn((backend) => backend)
)
const late = makeNanoRuns(builtIn, computeOn(onDevice))
const { root, model } = await nanoFolder("late-numbers", native)
const { root: other } = await nanoFolder("late-numbers-device", late)

const { adaround, projector, qat } = shortStages
const recipe = (...stages: ReadonlyArray<object>) => ({ version: 1, name: "late", model, seed: 3, stages })

const metricsOf = ({ entries }: Recording) =>
  entries.flatMap((entry: Entry) =>
    isEntryOf(RunEvents.StepDone, entry) ? [{ stage: entry.stage, ...entry.event }] : []
  )

/** The tensors that each stage gave, by file. */
const results = (directory: string) =>
  Object.fromEntries(
    readdirSync(join(directory, "stages")).flatMap((place) =>
      readdirSync(join(directory, "stages", place))
        .filter((name) => /^(quantized|projector|step-).*safetensors$/.test(name))
        .map((name) => [
          `${place}/${name}`,
          readFileSync(join(directory, "stages", place, name))
            .toString("base64")
            .slice(-4000)
        ])
    )
  )

describe("numbers that come a step later", () => {
  it("change no result and no number, also when the run is interrupted and continued", async () => {
    const stages = recipe(adaround, projector, qat)
    const plain = await native.run(stages, join(root, "run"))
    const delayed = await late.run(stages, join(other, "run"))
    for (const { exit } of [plain, delayed]) if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    assert.deepStrictEqual(metricsOf(delayed), metricsOf(plain))
    assert.isAtLeast(Object.keys(results(join(root, "run"))).length, 4)
    assert.deepStrictEqual(results(join(other, "run")), results(join(root, "run")))

    const cut = join(other, "cut")
    await late.run(stages, cut, { stage: "02-train-projector", step: 2 })
    const { exit } = await late.run(stages, cut)
    assert.isTrue(Exit.isSuccess(exit))
    assert.deepStrictEqual(results(cut), results(join(root, "run")))
  })

  it("stop the stage where one is none, and the state is that of before, though the next step was begun", async () => {
    const stages = recipe({ ...adaround, iterations: 0 }, { ...projector, maxSteps: 6 })
    const failureOf = async ({ run }: typeof native, directory: string) => {
      spoilt.step = 3
      const { exit } = await run(stages, directory)
      const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
      assert.instanceOf(error, StageFailed)
      assert.instanceOf(error.cause, NonFiniteGradient)
      const manifest = readFileSync(join(directory, "stages/02-train-projector/manifest.json"), "utf8")
      const [{ step }] = JSON.parse(manifest).manifest.checkpoints
      assert.deepStrictEqual([step, error.step], [2, 2])
      return { message: error.message, saved: results(directory) }
    }
    const plain = await failureOf(native, join(root, "nan"))
    assert.deepStrictEqual(await failureOf(late, join(other, "nan")), plain)
  })

  it("leave no buffer behind", async () => {
    const { backend } = await late.runtime.runPromise(Compute)
    assert.strictEqual(backend.usage().buffers, 0)
  })
})
