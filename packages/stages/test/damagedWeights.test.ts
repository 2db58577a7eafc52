/** A damaged number in a checkpoint, or one that no scale holds, ends a run before its first step: which tensor, how many, where. */
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { basename, join } from "node:path"
import { layerOf, Safetensors, typedView } from "@speedq/formats"
import { RunEvents } from "@speedq/pipeline"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import {
  evaluation,
  eventsOfKind,
  makeNanoRuns,
  nearest,
  shortStages,
  training,
  writeNanoModel
} from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-damaged-"))
const runs = makeNanoRuns()
let clean: string
let made = 0

beforeAll(async () => {
  clean = await writeNanoModel(join(root, "clean"))
})
afterAll(async () => {
  await runs.dispose()
  rmSync(root, { recursive: true, force: true })
})

/** The nano model with one number of a tensor changed. */
const damaged = async (name: string, index: readonly number[], value: number): Promise<string> => {
  const directory = join(root, `model-${made++}`)
  mkdirSync(directory)
  for (const file of readdirSync(clean)) copyFileSync(join(clean, file), join(directory, file))
  const store = Safetensors.openSync(join(clean, "model.safetensors"))
  const sources = [...store.tensors].map(([tensor, { dtype, shape }]) => {
    const bytes = store.read(tensor)
    if (tensor === name) {
      assert.strictEqual(dtype, "F32")
      typedView("F32", bytes)[index.reduce((at, place, axis) => at * shape[axis]! + place, 0)] = value
    }
    return { name: tensor, dtype, shape, data: Effect.succeed(bytes) }
  })
  assert.isTrue(store.tensors.has(name), name)
  await Effect.runPromise(
    Safetensors.write(join(directory, "model.safetensors"), sources, { metadata: store.metadata })
  )
  store.close()
  return directory
}

const bilevel = { use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }
const joint = { use: "joint-qat", ...training, quantizers: [{ match: "**", ...bilevel }] }

/** How a run of one stage on a model ends, which must be before any step. */
const failureOf = async (model: string, stage: object): Promise<string> => {
  const recipe = { version: 1, name: "damaged", model, seed: 7, stages: [stage] }
  const { exit, entries } = await runs.run(recipe, join(root, `run-${made++}`))
  assert.isTrue(Exit.isFailure(exit), "the run ended well")
  assert.isEmpty(eventsOfKind(RunEvents.StepDone, entries))
  const error = Cause.squash((exit as Exit.Failure<unknown, unknown>).cause)
  return (error as Error).message
}

const [fc1, embedding, bias, query] = [
  "vision_model.encoder.layers.0.mlp.fc1.weight",
  "language_model.model.embed_tokens.weight",
  "language_model.model.layers.0.self_attn.q_proj.bias",
  "language_model.model.layers.0.self_attn.q_proj.weight"
]

describe("a number that is none", () => {
  it.each([
    { where: fc1, index: [3, 5], stage: shortStages.adaround },
    { where: bias, index: [4], stage: shortStages.adaround },
    { where: fc1, index: [3, 5], stage: shortStages.qat },
    { where: bias, index: [4], stage: shortStages.autoclip },
    // The last row: no record has its token.
    { where: embedding, index: [-1, 2], stage: shortStages.qat },
    { where: embedding, index: [-1, 2], stage: evaluation("full precision") },
    { where: fc1, index: [3, 5], stage: joint }
  ])("in $where ends $stage.use with the tensor's name, and no step is done", async ({ where, index, stage }) => {
    const store = Safetensors.openSync(join(clean, "model.safetensors"))
    const { shape } = store.tensors.get(where)!
    store.close()
    const place = index.map((at, axis) => (at < 0 ? shape[axis]! + at : at))
    const elements = shape.reduce((a, b) => a * b, 1)
    for (const [value, counts] of [
      [Number.NaN, "1 NaN and 0 infinite"],
      [Number.NEGATIVE_INFINITY, "0 NaN and 1 infinite"]
    ] as const) {
      const model = await damaged(where, place, value)
      const message = await failureOf(model, stage)
      const told = `${basename(model)}/model.safetensors: tensor "${where}" has ${counts} of its ${elements} numbers, the first at [${place.join(", ")}]; the checkpoint is damaged`
      assert.include(message, told)
      assert.notInclude(message, "learning rate")
    }
  })
})

describe("a number that no f16 scale holds", () => {
  it.each([
    { where: fc1, stage: shortStages.adaround },
    { where: fc1, stage: joint },
    { where: query, stage: shortStages.qat },
    { where: embedding, stage: shortStages.qat, use: "embedding-sym4" },
    { where: embedding, stage: shortStages.autoclip, use: "embedding-sym4" },
    { where: query, stage: evaluation("nearest", { nearest }) },
    { where: fc1, stage: evaluation("nearest", { nearest }) }
  ])("in $where ends $stage.use before any step", async ({ where, stage, use = "bilevel" }) => {
    const model = await damaged(where, [3, 5], 1e9)
    const message = await failureOf(model, stage)
    assert.match(message, /1 weights exceed \+-\d+, the limit of the scales of/)
    assert.include(message, `: ${layerOf(where)}: 1 weights`)
    assert.include(message, `"${use}"; the largest is 1000000000, the first at [3, 5]; store scales in f32`)
    assert.notInclude(message, "learning rate")
  })
})
