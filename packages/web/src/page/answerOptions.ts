/** What is chosen about answers. */
import type { Sampling } from "../engine/messages.ts"
import { element } from "./elements.ts"

/** The number in a field within its limits, whole where its steps are; what it was at first where there is none. */
export const numberIn = (id: string): number => {
  const { valueAsNumber, defaultValue, min, max, step } = element<HTMLInputElement>(id)
  const wanted = Number.isNaN(valueAsNumber) ? Number(defaultValue) : valueAsNumber
  const within = Math.min(Number(max), Math.max(Number(min), wanted))
  return step.includes(".") ? within : Math.floor(within)
}

/** The number of a field, written back as it is taken. */
export const taken = (id: string): number => {
  element<HTMLInputElement>(id).valueAsNumber = numberIn(id)
  return numberIn(id)
}

export const sampling = (): Sampling | undefined => {
  const temperature = taken("temperature")
  return temperature === 0 ? undefined : { temperature, topP: taken("top-p"), seed: taken("seed") }
}
