/** What the teacher has learned so far: exact answers by type of question, to fresh training scenes that evaluation never sees. */
import { Random } from "@speedq/tensors"
import type { ModelDirectory, Weights } from "@speedq/vlm-model"
import { languages } from "../../common/Task.ts"
import { rightAnswers } from "../../common/teacher/rightAnswers.ts"
import { type Draw, makeScene, mixtures, question, type Sample, type TaskType, taskTypes } from "../generator/index.ts"
import { batchOf } from "./batches.ts"

/** Fresh questions of one type, in both languages, each with a scene of its own. */
const samplesOf = (type: TaskType | "choice", draw: Draw, count: number, random: Random): ReadonlyArray<Sample> => {
  const found: Array<Sample> = []
  while (found.length < count) {
    const scene = makeScene(random, draw)
    const asked = question(scene, type, languages[found.length % languages.length]!, random)
    if (asked !== undefined) found.push({ scene, turns: [{ question: asked, style: "plain" }] })
  }
  return found
}

/** Share of right answers by type: pictures of one tile under the type's name, of two with a 2 behind it. */
export const accuracies = async (
  directory: ModelDirectory,
  weights: Weights,
  count: number,
  wide: boolean
): Promise<Readonly<Record<string, number>>> => {
  const random = Random.make(1, "teacher probe")
  const result: Record<string, number> = {}
  for (const two of wide ? [false, true] : [false]) {
    for (const type of taskTypes) {
      const samples = samplesOf(type, { ...mixtures.shipped, layouts: two ? [0, 1, 1] : [1, 0, 0] }, count, random)
      // Two layouts have the same number of tiles, so they can be asked together.
      result[two ? `${type}2` : type] = await rightAnswers(directory, weights, batchOf(directory, samples))
    }
  }
  return result
}
