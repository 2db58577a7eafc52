/** What went wrong, as the page tells it: in the language that is chosen, also where that is changed later. */
import type { Computer, Told } from "../engine/messages.ts"
import { element, show } from "./elements.ts"
import { language } from "./language.ts"
import { plainWords, worksWithoutKeeping } from "./problems.ts"

let problem: { readonly error: Told; readonly on: Computer } | undefined

export const writeProblem = (): void => {
  if (problem === undefined) return
  element("problem-words").textContent = plainWords(problem.error, problem.on, language())
}

/** Tells of an error that came while the model computed, or was to compute, `on` a processor. */
export const showProblem = (error: Told, on: Computer): void => {
  problem = { error, on }
  writeProblem()
  element("problem-details").textContent = `${error.tag}: ${error.message}`
  show("without-keeping", worksWithoutKeeping(error))
  show("problem", true)
}

export const clearProblem = (): void => show("problem", false)
