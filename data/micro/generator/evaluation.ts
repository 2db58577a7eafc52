/** What the evaluation sets ask: every type in both languages, of pictures with one tile and with two. */
import type { Random } from "@speedq/tensors"
import { balancedItems, type EvaluationItem as CommonItem } from "../../common/evaluation.ts"
import { type Language, languages } from "../../common/Task.ts"
import { question } from "./questions.ts"
import { makeScene, type Scene, type Split } from "./Scene.ts"
import { mixtures } from "./sample.ts"
import { evaluatedTypes, type TaskType, tasks } from "./tasks.ts"

export type EvaluationItem = CommonItem<Scene, TaskType>

/** Items of one type and language from scenes of a split. */
export const itemsOf = (
  random: Random,
  split: Exclude<Split, "train">,
  type: TaskType | "choice",
  language: Language,
  count: number,
  layouts = mixtures.shipped.layouts as readonly [number, number, number]
): ReadonlyArray<EvaluationItem> => {
  const draw = { ...mixtures.shipped, layouts }
  return balancedItems(
    { question, tasks, drawScene: (stream) => makeScene(stream, draw, split) },
    random,
    type,
    language,
    count
  )
}

/** Every evaluated type of short answers in both languages. */
export const shortItems = (
  random: Random,
  split: Exclude<Split, "train">,
  perTypeAndLanguage: number
): ReadonlyArray<EvaluationItem> =>
  evaluatedTypes.flatMap((type) =>
    languages.flatMap((language) => itemsOf(random, split, type, language, perTypeAndLanguage))
  )

/** Captions in both languages. */
export const captionItems = (
  random: Random,
  split: Exclude<Split, "train">,
  perLanguage: number
): ReadonlyArray<EvaluationItem> =>
  languages.flatMap((language) => itemsOf(random, split, "caption", language, perLanguage))
