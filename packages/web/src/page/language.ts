/** The language of the page: as it was chosen, else the browser's. */
import { element } from "./elements.ts"
import { remember, remembered } from "./remembered.ts"
import { type Language, type PlainWord, words } from "./words.ts"

const key = "speedq-language"

const first = (): Language => {
  const chosen = remembered(key)
  if (chosen === "en" || chosen === "zh") return chosen
  return navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en"
}

let current = first()

export const language = (): Language => current
export const say = () => words[current]

/** Writes all fixed texts into the page. */
export const writeTexts = (): void => {
  const own = say()
  document.documentElement.lang = current === "zh" ? "zh-Hans" : "en"
  for (const part of document.querySelectorAll<HTMLElement>("[data-text]")) {
    part.textContent = own[part.dataset["text"] as PlainWord]
  }
  for (const part of document.querySelectorAll<HTMLElement>("[data-label]")) {
    part.setAttribute("aria-label", own[part.dataset["label"] as PlainWord])
  }
  const other = element("language")
  other.textContent = own.otherLanguage
  other.lang = current === "zh" ? "en" : "zh-Hans"
}

export const changeLanguage = (): void => {
  current = current === "zh" ? "en" : "zh"
  remember(key, current)
  writeTexts()
}
