/** What the teacher has learned so far: exact answers by type of question, to fresh training scenes that evaluation never sees. */
import { noGrad, Random, scope, type Tensor, tensor } from "@speedq/tensors"
import { logitsOfRows, type ModelDirectory, type Weights } from "@speedq/vlm-model"
import { makeScene, question, type Sample, type TaskType, taskTypes } from "../generator/index.ts"
import { batchOf } from "./batches.ts"
import { hiddenStates } from "./forward.ts"

/** Fresh questions of one type, in both languages, each with a scene of its own. */
const samplesOf = (type: TaskType, count: number, random: Random): ReadonlyArray<Sample> => {
  const found: Array<Sample> = []
  while (found.length < count) {
    const scene = makeScene(random)
    const asked = question(scene, type, found.length % 2 === 0 ? "en" : "zh", random)
    if (asked !== undefined) found.push({ scene, turns: [{ question: asked, style: "plain" }] })
  }
  return found
}

/** Rows whose next token is part of an answer, with that token, by sample. */
const answerRows = (labels: ArrayLike<number>, length: number) =>
  Array.from({ length: labels.length - 1 }, (_, row) => ({
    row,
    sample: Math.floor(row / length),
    label: labels[row + 1]!
  })).filter(({ row, label }) => label >= 0 && (row + 1) % length !== 0)

const largest = (values: Float32Array): number =>
  values.reduce((best, value, index) => (value > values[best]! ? index : best), 0)

/** Share of answers all of whose tokens are the likeliest ones after the right ones before them, by type. */
export const accuracies = async (
  directory: ModelDirectory,
  weights: Weights,
  count: number
): Promise<Readonly<Record<string, number>>> => {
  const random = Random.make(1, "teacher probe")
  const result: Record<string, number> = {}
  for (const type of taskTypes) {
    const batch = batchOf(directory, samplesOf(type, count, random))
    const rows = answerRows(batch.labels, batch.length)
    const logits: Tensor = noGrad(() =>
      scope(() => {
        const hidden = hiddenStates(directory, weights, batch)
        const index = tensor(
          hidden.backend,
          Int32Array.from(rows, ({ row }) => row),
          [rows.length],
          "i32"
        )
        return logitsOfRows(weights, hidden, index)
      })
    )
    const values = (await logits.read()) as Float32Array
    logits.release()
    const width = values.length / rows.length
    const wrong = new Set(
      rows
        .filter(({ label }, i) => largest(values.subarray(i * width, (i + 1) * width)) !== label)
        .map(({ sample }) => sample)
    )
    result[type] = 1 - wrong.size / count
  }
  return result
}
