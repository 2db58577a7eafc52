/** Patterns over layer names: a glob over dotted segments, or a /regular expression/. */
import { PatternInvalid } from "./Errors.ts"

/** `**` is any run of segments, `*` any text within one segment, the rest is literal. */
const globToRegex = (glob: string): RegExp => {
  const source = glob
    .split(/(\*\*\.?|\*)/)
    .map((part) => {
      if (part === "**.") return "(?:.+\\.)?"
      if (part === "**") return ".*"
      if (part === "*") return "[^.]*"
      return part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&")
    })
    .join("")
  return new RegExp(`^${source}$`)
}

/** A test for layer names. Raises PatternInvalid. */
export const compilePattern = (match: string): ((layer: string) => boolean) => {
  const literal = /^\/(.*)\/([a-z]*)$/s.exec(match)
  try {
    const regex = literal ? new RegExp(literal[1]!, literal[2]) : globToRegex(match)
    return (layer) => regex.test(layer)
  } catch (error) {
    throw new PatternInvalid({ match, reason: error instanceof Error ? error.message : String(error) })
  }
}
