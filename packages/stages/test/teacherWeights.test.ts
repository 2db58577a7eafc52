/** A teacher whose decoder is in its file alone: the same bytes as one in memory, which takes more of it, and what cannot be read so. */
import { cpSync } from "node:fs"
import { join } from "node:path"
import { Safetensors } from "@speedq/formats"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { Compute } from "../src/compute/Compute.ts"
import { openSourceModel } from "../src/model/SourceModel.ts"
import { makeTeacherWeights, matricesInFile, requireTeacherFile } from "../src/training/teacherWeights.ts"
import { makeNanoRuns, shortStages, writeNanoModel } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("teacher-weights", runs)
const other = await writeNanoModel(join(root, "other"), 11)

const recipeOf = (teacherWeights: string, more: object = {}) => ({
  version: 1,
  name: "taught",
  model,
  seed: 7,
  save: { everySteps: 2 },
  stages: [{ ...shortStages.qat, teacherWeights, loss: { confidence: 0.5 } }],
  ...more
})

const succeeded = async (recipe: object, directory: string) => {
  const { exit } = await runs.run(recipe, directory)
  assert.isTrue(Exit.isSuccess(exit), String(exit))
  return resultsOf(directory)
}

describe("stage 3 with the teacher in its file", () => {
  it.each([
    ["the model itself", {}],
    ["another teacher", { teacher: other }]
  ])("ends with the same bytes, interrupted or not: %s", async (name, more) => {
    const inMemory = await succeeded(recipeOf("memory", more), join(root, `${name}-memory`))
    assert.deepStrictEqual(await succeeded(recipeOf("file", more), join(root, `${name}-file`)), inMemory)
    const directory = join(root, `${name}-interrupted`)
    const { exit } = await runs.run(recipeOf("file", more), directory, { stage: "01-qat", step: 3 })
    assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause))
    // Where the teacher is does not change the stage's key: the run goes on with it in memory.
    assert.deepStrictEqual(await succeeded(recipeOf("memory", more), directory), inMemory)
    const { backend } = await runs.runtime.runPromise(Compute)
    assert.strictEqual(backend.usage().buffers, 0)
  })
})

/** Bytes in tensors before and after a model left memory, and whether a matrix and a norm are the same numbers then. */
const left = (isCopied: (name: string) => boolean) =>
  Effect.gen(function* () {
    const { backend } = yield* Compute
    const opened = yield* openSourceModel(model)
    const before = backend.usage().bytes
    const options = { backend, place: "file" as const, model: opened, teacher: opened, isCopied }
    const { weights, leaveMemory } = yield* makeTeacherWeights(options)
    const matrices = matricesInFile(opened.directory.config)
    const names = [matrices[0]!, "language_model.model.norm.weight"]
    const read = (name: string) => Effect.promise(async () => (await weights.get(name).read()).slice())
    const held = yield* Effect.forEach(names, read)
    leaveMemory()
    leaveMemory()
    const after = backend.usage().bytes
    const again = yield* Effect.forEach(names, read)
    const absent = weights.find("language_model.absent")
    return { before, after, held, again, absent, matrices }
  }).pipe(Effect.scoped)

describe("a teacher that leaves memory", () => {
  it("takes its trained matrices with it, and gives the same numbers from its file", async () => {
    const { before, after, held, again, absent, matrices } = await runs.runtime.runPromise(left(() => true))
    const { store } = await Effect.runPromise(Effect.scoped(Safetensors.openModel(model)))
    const bytes = matrices.reduce((sum, name) => sum + store.tensors.get(name)!.byteLength, 0)
    assert.isAbove(bytes, 0)
    assert.isAtMost(after, before - bytes)
    assert.deepStrictEqual(again, held)
    assert.isUndefined(absent)
  })

  it("keeps what the student uses as it is", async () => {
    const { before, after } = await runs.runtime.runPromise(left(() => false))
    assert.strictEqual(after, before)
  })
})

describe("a decoder that cannot be read by layers", () => {
  const refusal = (place: object) =>
    Effect.runPromise(Effect.flip(requireTeacherFile({ teacherWeights: "file" }, { model, ...place })))

  it("is refused by name", async () => {
    const elsewhere = await refusal({ parts: { language: "decoder.pt" } })
    assert.match(elsewhere.message, /teacherWeights is "file", but parts\.language takes the decoder from decoder\.pt/)
    const pickled = join(root, "pickled")
    cpSync(model, pickled, { recursive: true, filter: (file) => !file.endsWith(".safetensors") })
    cpSync(join(model, "config.json"), join(pickled, "pytorch_model.bin"))
    assert.match((await refusal({ teacher: pickled })).message, /pickled has a PyTorch checkpoint/)
  })

  it("is none where the option is left out", async () => {
    await Effect.runPromise(requireTeacherFile({}, { model, parts: { language: "decoder.pt" } }))
  })
})
