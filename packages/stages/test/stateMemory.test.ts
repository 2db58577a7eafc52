/** A saved state of which a part cannot be read leaves nothing in the backend's memory. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { packNearest } from "@speedq/exports"
import { Safetensors } from "@speedq/formats"
import { type Codec, openSaved } from "@speedq/pipeline"
import { decodeChoice } from "@speedq/quantizers"
import { type Backend, type Tensor, tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { afterAll, assert, describe, it } from "vitest"
import { searchingCodec } from "../src/autoclip/Searching.ts"
import { blockProgressCodec } from "../src/blocks/BlockProgress.ts"
import { Compute } from "../src/compute/Compute.ts"
import { emptyTally } from "../src/data/SampleTally.ts"
import { posttrainingCodec } from "../src/posttraining/PosttrainingState.ts"
import { trainingCodec } from "../src/training/TrainingState.ts"
import { makeNanoRuns } from "./support/nano.ts"

const runs = makeNanoRuns()
const root = mkdtempSync(join(tmpdir(), "speedq-state-memory-"))
afterAll(async () => {
  await runs.dispose()
  rmSync(root, { recursive: true, force: true })
})

const seen = { tally: emptyTally, used: new Uint8Array([5]) }
const matrix = (backend: Backend): Tensor =>
  tensor(
    backend,
    Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)),
    [4, 16]
  )
const packed = async (backend: Backend) => {
  const choice = decodeChoice({ use: "uniform", with: { bits: 2, group: 16 } })
  return new Map([["layer", await packNearest("layer", choice, matrix(backend))]])
}
const named = (backend: Backend, ...names: readonly string[]) =>
  Object.fromEntries(names.map((name) => [name, matrix(backend)]))

type Saved = ReturnType<Codec.AnyCodec<unknown, Compute>["save"]>
type Load = Codec.AnyCodec["load"]

/** A state of each kind, taken apart. */
const kinds = {
  "gptq and awq": async (backend: Backend) => ({
    saved: posttrainingCodec.save({ packed: await packed(backend), parameters: named(backend, "a"), rows: [], seen }),
    load: posttrainingCodec.load
  }),
  "stages that fit blocks": async (backend: Backend) => {
    const codec = blockProgressCodec({ parts: () => ["alpha", "m", "v"] })
    const random = { words: [1, 2, 3, 4], spare: null } as const
    const layers = { one: named(backend, "alpha", "m", "v"), two: named(backend, "alpha", "m", "v") }
    const current = { iteration: 1, random, layers }
    return { saved: codec.save({ done: await packed(backend), reports: [], current, seen }), load: codec.load }
  },
  "the clipping search": (backend: Backend) => ({
    saved: searchingCodec.save({
      ...{ rows: [], seen, ranges: named(backend, "l.min", "l.max") },
      sequences: { hidden: matrix(backend), lengths: [4] }
    }),
    load: searchingCodec.load
  }),
  training: (backend: Backend) => {
    const optimizer = { step: 1, m: named(backend, "a"), v: named(backend, "a") }
    const learner = { parameters: named(backend, "a"), optimizer }
    return {
      saved: trainingCodec.save({ learner, measured: [], tally: emptyTally, passedOver: 0, used: seen.used }),
      load: trainingCodec.load
    }
  }
}

describe.each(Object.entries(kinds))("a state of %s", (name, make) => {
  it("is read whole, or not at all", async () => {
    const backend = await runs.runtime.runPromise(Effect.map(Compute, (compute) => compute.backend))
    const { saved, load } = (await make(backend)) as { readonly saved: Saved; readonly load: Load }
    const file = join(root, `${name}.safetensors`)
    /** Buffers more than before, and whether the state was read. */
    const reading = (tensors: Saved["tensors"]) =>
      runs.runtime.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            yield* Safetensors.write(file, tensors, { metadata: { data: JSON.stringify(saved.data) } })
            const before = backend.usage().buffers
            const isRead = yield* Effect.isSuccess(load(yield* openSaved(file)))
            return { isRead, left: backend.usage().buffers - before }
          })
        ) as Effect.Effect<{ isRead: boolean; left: number }, unknown, never>
      )
    const whole = await reading(saved.tensors)
    assert.isTrue(whole.isRead)
    assert.isAbove(whole.left, 0)
    for (const [at, { name: part }] of saved.tensors.entries()) {
      // The list of used samples is missing; of any other tensor the kind of numbers is none that is known.
      const unreadable = saved.tensors.flatMap((each: Saved["tensors"][number], place: number) =>
        place !== at
          ? [each]
          : part === "used"
            ? []
            : [{ ...each, dtype: "F64" as const, shape: [0], data: Effect.succeed(new Uint8Array()) }]
      )
      assert.deepStrictEqual(await reading(unreadable), { isRead: false, left: 0 }, part)
    }
  })
})
