/** The questions of this data set: its tasks, asked in its two languages. */
import { asker } from "../../common/questions.ts"
import type { Language } from "../../common/Task.ts"
import { chinese } from "./chinese.ts"
import { english } from "./english.ts"
import type { Phrasebook } from "./Phrasebook.ts"
import { choiceSources, tasks } from "./tasks.ts"

const phrasebooks: Readonly<Record<Language, Phrasebook>> = { en: english, zh: chinese }

export const { question, promptText, answerText } = asker({
  tasks,
  phrasebooks,
  choiceSources,
  descriptions: ["caption", "sort"]
})
