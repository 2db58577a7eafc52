/** What was asked and answered, as it is read. */
import { element, make } from "./elements.ts"
import { say } from "./language.ts"

const entry = (who: string, ...parts: readonly HTMLElement[]): HTMLElement =>
  make("article", {}, make("h3", { textContent: who }), ...parts)

/** Adds a question with its pictures; gives what takes it away again. */
export const addQuestion = (question: string, pictures: readonly HTMLLIElement[]): (() => void) => {
  const parts = pictures.length === 0 ? [] : [make("ul", { className: "pictures" }, ...pictures)]
  const article = entry(say().you, ...parts, make("p", { textContent: question }))
  article.className = "asked"
  element("log").append(article)
  return () => article.remove()
}

interface AnswerText {
  readonly add: (piece: string) => void
  readonly end: () => void
  /** Takes it away. */
  readonly remove: () => void
}

/** Whether the end of an element is in sight: one who reads further up is not taken away from there. */
const endsInSight = (of: HTMLElement): boolean => of.getBoundingClientRect().bottom <= innerHeight

/** Adds an answer that comes in pieces; it is read aloud when it is whole. */
export const addAnswer = (): AnswerText => {
  const log = element("log")
  const text = make("p")
  log.setAttribute("aria-busy", "true")
  const article = entry(say().model, text)
  log.append(article)
  const done = () => log.removeAttribute("aria-busy")
  text.scrollIntoView({ block: "nearest" })
  return {
    add: (piece) => {
      const follows = endsInSight(text)
      text.append(piece)
      if (follows) text.scrollIntoView({ block: "nearest" })
    },
    end: () => {
      text.textContent = text.textContent?.trim() || say().empty
      done()
    },
    remove: () => {
      article.remove()
      done()
    }
  }
}

export const clearLog = (): void => element("log").replaceChildren()
