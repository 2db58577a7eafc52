/** Patterns over layer names: a glob over dotted segments, or a /regular expression/. */
import { PatternInvalid } from "../Errors.ts"

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

/** A regular expression without memory: the flags g and y would make each test start where the last one ended. */
const toRegex = (source: string, flags: string): RegExp => new RegExp(source, flags.replaceAll(/[gy]/g, ""))

/** A test for layer names. Raises PatternInvalid. */
export const compilePattern = (match: string): ((layer: string) => boolean) => {
  const [, source, flags] = /^\/(.*)\/([a-z]*)$/s.exec(match) ?? []
  try {
    const regex = source === undefined ? globToRegex(match) : toRegex(source, flags ?? "")
    return (layer) => regex.test(layer)
  } catch (error) {
    throw new PatternInvalid({ match, reason: error instanceof Error ? error.message : String(error) })
  }
}
