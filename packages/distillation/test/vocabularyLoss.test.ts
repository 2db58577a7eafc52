/** What the vocabulary loss costs, and what it refuses. */
import { type Backend, makeReferenceBackend, scope, tensor, zeros } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import {
  cakld,
  crossEntropy,
  type Labels,
  type LanguageHead,
  type RowLoss,
  TeacherMissing,
  vocabularyLoss
} from "../src/index.ts"

const backend: Backend = makeReferenceBackend()
const [length, width, vocabulary] = [64, 4, 500]

const head = (on: Backend = backend): LanguageHead => ({
  hidden: zeros(on, [1, length, width]),
  weight: zeros(on, [vocabulary, width])
})

const labelsWith = (count: number): Labels => ({
  values: Int32Array.from({ length }, (_, i) => (i < length - count ? -100 : i)),
  batch: 1,
  length
})

/** A loss that counts the rows that it is shown. */
const counting = (rows: readonly number[], needsTeacher = false) => {
  const seen: number[] = []
  const loss: RowLoss = {
    name: "count",
    needsTeacher,
    rowWeights: () => new Map(rows.map((row) => [row, 1])),
    rows: ({ student, teacher }) => {
      seen.push(student.shape[0]!)
      if (needsTeacher) assert.deepEqual(teacher?.shape, student.shape)
      else assert.isUndefined(teacher)
      return zeros(student.backend, [student.shape[0]!])
    }
  }
  return { loss, seen }
}

describe("the vocabulary loss", () => {
  it("shows losses only the rows that some of them read, a chunk at a time", () => {
    const one = counting([3, 5, 9, 11])
    const two = counting([5, 60])
    scope(() => vocabularyLoss({ losses: [one.loss, two.loss], labels: labelsWith(0), student: head(), chunkRows: 3 }))
    assert.deepEqual(one.seen, [3, 2])
    assert.deepEqual(two.seen, [3, 2])
  })

  it("computes teacher logits only for losses that need them", () => {
    const without = counting([1])
    scope(() => vocabularyLoss({ losses: [without.loss], labels: labelsWith(0), student: head(), teacher: head() }))
    const needing = counting([1], true)
    scope(() => vocabularyLoss({ losses: [needing.loss], labels: labelsWith(0), student: head(), teacher: head() }))
    assert.deepEqual([without.seen, needing.seen], [[1], [1]])
  })

  it("needs memory for a few rows of logits, not for all of them", () => {
    const fresh = makeReferenceBackend()
    const [student, teacher] = [head(fresh), head(fresh)]
    const losses = [cakld({ confidence: 0.5 }), crossEntropy({ labelSmoothing: 0.1 })]
    const labels = labelsWith(40)
    const before = fresh.usage().bytes
    scope(() => vocabularyLoss({ losses, labels, student, teacher, chunkRows: 2 }))
    // The reference backend holds doubles. Two rows each of student, teacher and gradient, and what is between.
    const rowBytes = 8 * vocabulary
    assert.isBelow(fresh.usage().peakBytes - before, 10 * rowBytes)
  })

  it("leaves nothing behind", () => {
    const [student, teacher] = [head(), head()]
    const before = backend.usage().buffers
    scope(() => {
      vocabularyLoss({ losses: [cakld({ confidence: 0.5 })], labels: labelsWith(9), student, teacher, chunkRows: 4 })
    })
    assert.strictEqual(backend.usage().buffers, before)
  })

  it("takes a loss that a user writes", async () => {
    const squares: RowLoss = {
      name: "squares",
      needsTeacher: false,
      rowWeights: ({ values }) => new Map(Array.from(values.keys(), (row) => [row, 1 / values.length])),
      rows: ({ student }) => tensor(student.backend, new Float32Array(student.shape[0]!).fill(2), [student.shape[0]!])
    }
    const { loss, parts } = vocabularyLoss({ losses: [squares], labels: labelsWith(0), student: head() })
    assert.deepEqual([await loss.item(), await parts["squares"]!.item()], [2, 2])
  })

  it("refuses a loss that needs a teacher when there is none, even if no row is labelled", () => {
    const losses = [crossEntropy(), cakld({ confidence: 0.5 })]
    const run = () => vocabularyLoss({ losses, labels: labelsWith(0), student: head() })
    assert.throws(run, TeacherMissing, 'loss "kd" compares with a teacher, and none was given')
  })

  it.each([
    { what: "fewer labels than positions", values: 63, batch: 1, labelled: 64 },
    { what: "another batch", values: 128, batch: 2, labelled: 64 },
    { what: "shorter hidden states", values: 32, batch: 1, labelled: 32 }
  ])("refuses $what", ({ values, batch, labelled }) => {
    const labels = { values: new Int32Array(values).fill(-100), batch, length: labelled }
    const run = () => vocabularyLoss({ losses: [crossEntropy()], labels, student: head() })
    assert.throws(run, `${values} labels for ${batch} sequences of ${labelled} positions, and hidden states of 64`)
  })

  it("refuses a label that is no token", () => {
    const labels = { values: new Int32Array(length).fill(vocabulary), batch: 1, length }
    assert.throws(() => vocabularyLoss({ losses: [crossEntropy()], labels, student: head() }), /500/)
  })
})
