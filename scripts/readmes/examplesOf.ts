/** The examples of a page. */
import { readFileSync } from "node:fs"

/** A ```ts block of a page. */
export interface Example {
  readonly text: string
  /** Lines of the page before its text. */
  readonly linesBefore: number
}

export const examplesOf = (page: string): readonly Example[] => {
  const text = readFileSync(page, "utf8")
  return [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(({ 1: example = "", index }) => ({
    text: example,
    linesBefore: text.slice(0, index).split("\n").length
  }))
}
