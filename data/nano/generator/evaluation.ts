/** What the evaluation sets ask, of scenes that no training record can have. */
import type { Random } from "@speedq/tensors"
import { balancedItems, type EvaluationItem as CommonItem } from "../../common/evaluation.ts"
import { type Language, languages } from "../../common/Task.ts"
import { question } from "./questions.ts"
import { makeScene, type Scene } from "./Scene.ts"
import { evaluatedTypes, type TaskType, tasks } from "./tasks.ts"

export type EvaluationItem = CommonItem<Scene, Exclude<TaskType, "choice">>

const drawScene = (random: Random): Scene => makeScene(random, "evaluation")
const itemsOf = (random: Random, type: TaskType, language: Language, count: number): ReadonlyArray<EvaluationItem> =>
  balancedItems({ question, tasks, drawScene }, random, type, language, count)

/** Every evaluated type of short answers in both languages. */
export const shortItems = (random: Random, perTypeAndLanguage: number): ReadonlyArray<EvaluationItem> =>
  evaluatedTypes.flatMap((type) => languages.flatMap((language) => itemsOf(random, type, language, perTypeAndLanguage)))

/** Captions in both languages. */
export const captionItems = (random: Random, perLanguage: number): ReadonlyArray<EvaluationItem> =>
  languages.flatMap((language) => itemsOf(random, "caption", language, perLanguage))
