/**
 * Words in a tone: what is good, what needs care, what is bad, what stands out. Text carries them between Unicode noncharacters, which no
 * text of others means anything by; colours come of them where it is written to a terminal that has colours, and nothing elsewhere.
 */
import { printable } from "@speedq/formats"

type Tone = "good" | "careful" | "bad" | "strong"

interface Style {
  readonly mark: string
  /** Codes of the terminal (SGR) that begin and end it. */
  readonly begin: number
  readonly end: number
}

const styles: { readonly [tone in Tone]: Style } = {
  good: { mark: "\ufdd0", begin: 32, end: 39 },
  careful: { mark: "\ufdd1", begin: 33, end: 39 },
  bad: { mark: "\ufdd2", begin: 31, end: 39 },
  strong: { mark: "\ufdd3", begin: 1, end: 22 }
}
const endMark = "\ufdd4"
const marks = /[\ufdd0-\ufdd4]/g
const marked = /([\ufdd0-\ufdd3])([^\ufdd0-\ufdd4]*)\ufdd4/g

/** Text in a tone, without another one in it. */
export const toned = (tone: Tone, text: string): string => `${styles[tone].mark}${text}${endMark}`

/** The text alone. */
export const untoned = (text: string): string => text.replaceAll(marks, "")

const styleOf = (mark: string): Style => Object.values(styles).find((style) => style.mark === mark) ?? styles.strong

/** The text as it is written: nothing in it steers the terminal but its tones, where these are shown as colours. */
export const shown = (text: string, hasColors: boolean): string => {
  if (!hasColors) return printable(untoned(text))
  const colored = printable(text).replaceAll(marked, (_, mark: string, words: string) => {
    const { begin, end } = styleOf(mark)
    return `\u001b[${begin}m${words}\u001b[${end}m`
  })
  return untoned(colored)
}
