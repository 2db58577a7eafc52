/** Training of a teacher: what is killed continues, and the weights are stored as asked. */
import { cpSync, mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { Safetensors } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { afterAll, afterEach, assert, beforeEach, describe, it, vi } from "vitest"
import { type Teaching, trainTeacher } from "../data/common/teacher/trainTeacher.ts"
import { mixtures } from "../data/nano/generator/index.ts"
import { freshBatch } from "../data/nano/teacher/batches.ts"
import { accuracies } from "../data/nano/teacher/probe.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-train-teacher-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))
let log: ReadonlyArray<string>
beforeEach(() => {
  log = []
  vi.spyOn(console, "log").mockImplementation((line: string) => {
    log = [...log, line]
  })
})
afterEach(() => {
  vi.restoreAllMocks()
})

const nano = fileURLToPath(new URL("../data/nano/", import.meta.url))
const teachingIn = (name: string): Teaching => {
  const out = join(root, name)
  for (const folder of ["config", "tokenizer"]) cpSync(join(nano, folder), out, { recursive: true })
  return {
    out,
    backend: "native:none",
    seed: 1,
    totalSteps: 3,
    rateOf: () => 1e-3,
    batchOf: (directory, step) => freshBatch(directory, mixtures.shipped, 1, step, 2),
    probe: (directory, weights) => accuracies(directory, weights, 1),
    stored: "bf16",
    every: { report: 1, save: 2 }
  }
}
const weightsIn = ({ out }: Teaching): Buffer => readFileSync(join(out, "model.safetensors"))

describe("a teacher's training", () => {
  it("gives the same weights when it is stopped after a saved state and started again", async () => {
    const whole = teachingIn("whole")
    await trainTeacher(whole)
    const stopped = teachingIn("stopped")
    const batchOf: Teaching["batchOf"] = (directory, step) => {
      if (step === 2) throw new Error("killed")
      return stopped.batchOf(directory, step)
    }
    await trainTeacher({ ...stopped, batchOf }).then(
      () => assert.fail("should have stopped"),
      (error: Error) => assert.strictEqual(error.message, "killed")
    )
    log = []
    await trainTeacher(stopped)
    assert.match(log[0]!, /: steps 2 to 3, seed 1$/)
    assert.match(log[1]!, /^step 3\/3 {2}loss \d+\.\d{4} /)
    assert.match(log[2]!, /^color \d+ {2}shape \d+ /)
    assert.isTrue(weightsIn(stopped).equals(weightsIn(whole)))
    const dtypes = await Effect.runPromise(
      Effect.scoped(
        Effect.map(Safetensors.open(join(whole.out, "model.safetensors")), ({ tensors }) =>
          [...tensors.values()].map(({ dtype }) => dtype)
        )
      )
    )
    assert.deepStrictEqual([...new Set(dtypes)], ["BF16"])
  })
})
