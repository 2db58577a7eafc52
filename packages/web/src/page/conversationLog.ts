/** What was asked and answered, as it is read. */
import { element, make } from "./elements.ts"
import { say } from "./language.ts"

const entry = (who: string, ...parts: readonly HTMLElement[]): HTMLElement =>
  make("article", {}, make("h3", { textContent: who }), ...parts)

/** Adds a question with its pictures. */
export const addQuestion = (question: string, pictures: readonly HTMLLIElement[]): void => {
  const parts = pictures.length === 0 ? [] : [make("ul", { className: "pictures" }, ...pictures)]
  const article = entry(say().you, ...parts, make("p", { textContent: question }))
  article.className = "asked"
  element("log").append(article)
}

interface AnswerText {
  readonly add: (piece: string) => void
  readonly end: () => void
}

/** Adds an answer that comes in pieces; it is read aloud when it is whole. */
export const addAnswer = (): AnswerText => {
  const log = element("log")
  const text = make("p")
  log.setAttribute("aria-busy", "true")
  log.append(entry(say().model, text))
  text.scrollIntoView({ block: "nearest" })
  return {
    add: (piece) => {
      text.append(piece)
      text.scrollIntoView({ block: "nearest" })
    },
    end: () => {
      text.textContent = text.textContent?.trim() || say().empty
      log.removeAttribute("aria-busy")
    }
  }
}

export const clearLog = (): void => element("log").replaceChildren()
