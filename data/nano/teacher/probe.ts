/** What the teacher has learned so far: exact answers by type of question, to fresh training scenes that evaluation never sees. */
import { Random } from "@speedq/tensors"
import type { ModelDirectory, Weights } from "@speedq/vlm-model"
import { languages } from "../../common/Task.ts"
import { rightAnswers } from "../../common/teacher/rightAnswers.ts"
import { makeScene, question, type Sample, type TaskType, taskTypes } from "../generator/index.ts"
import { batchOf } from "./batches.ts"

/** Fresh questions of one type, in both languages, each with a scene of its own. */
const samplesOf = (type: TaskType, count: number, random: Random): ReadonlyArray<Sample> => {
  const found: Array<Sample> = []
  while (found.length < count) {
    const scene = makeScene(random)
    const asked = question(scene, type, languages[found.length % languages.length]!, random)
    if (asked !== undefined) found.push({ scene, turns: [{ question: asked, style: "plain" }] })
  }
  return found
}

/** Share of right answers by type. */
export const accuracies = async (
  directory: ModelDirectory,
  weights: Weights,
  count: number
): Promise<Readonly<Record<string, number>>> => {
  const random = Random.make(1, "teacher probe")
  const result: Record<string, number> = {}
  for (const type of taskTypes)
    result[type] = await rightAnswers(directory, weights, batchOf(directory, samplesOf(type, count, random)))
  return result
}
