/** Help as a terminal shows it: required flags are marked, and lines are wrapped to its width, never in the middle of a word. */
import { stripVTControlCharacters } from "node:util"
import type { Formatter } from "effect/cli/CliOutput"
import { displayWidth } from "effect/cli/CliOutput"
import type { FlagDoc, HelpDoc } from "effect/cli/HelpDoc"
import * as Option from "effect/Option"

const marked = (flag: FlagDoc): FlagDoc =>
  flag.required ? { ...flag, description: Option.map(flag.description, (text) => `required: ${text}`) } : flag

/** A line that is longer than `width` continues below where its description starts; one word alone may be longer. */
const wrapped = (line: string, width: number): string => {
  if (displayWidth(line) <= width) return line
  const [head = ""] = /^ *(?:\S.*? {2,})?/.exec(line) ?? []
  // Where the name leaves too little room, its description goes below it.
  const below = displayWidth(head) > width / 2
  const indent = " ".repeat(below ? 6 : displayWidth(head))
  const lines = below ? [head.trimEnd()] : []
  let current = below ? indent : head
  for (const word of line.slice(head.length).split(" ")) {
    const isFirst = current === indent || current === head
    if (!isFirst && displayWidth(`${current} ${word}`) > width) {
      lines.push(current)
      current = indent + word
    } else current = isFirst ? current + word : `${current} ${word}`
  }
  return [...lines, current].join("\n")
}

/** The text of help. Commands of examples are not wrapped: they are copied. */
export const helpText = (doc: HelpDoc, formatter: Formatter, width: number): string => {
  const copied = new Set(doc.examples?.map(({ command }) => command))
  const text = formatter.formatHelpDoc({ ...doc, flags: doc.flags.map(marked) })
  return text
    .split("\n")
    .map((line) => (copied.has(stripVTControlCharacters(line).trim()) ? line : wrapped(line, width)))
    .join("\n")
}

/** Columns of a terminal, within what is read well; 80 where there is none. */
export const columnsOf = (stream: NodeJS.WriteStream): number => Math.min(100, Math.max(40, stream.columns ?? 80))
