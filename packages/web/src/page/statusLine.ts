/** The line below a question: in the language that is chosen, also where that is changed later. */
import { element } from "./elements.ts"

let words = (): string => ""

export const writeStatus = (): void => {
  element("status").textContent = words()
}

export const setStatus = (text: () => string): void => {
  words = text
  writeStatus()
}
