/** Patterns over layer names: a glob over dotted segments, or a /regular expression/. */
import { RE2JS } from "re2js"
import { PatternInvalid } from "../Errors.ts"

/** `**` is any run of segments, `*` any text within one segment, the rest is literal. */
const globSource = (glob: string): string => {
  const source = glob
    .split(/(\*\*\.?|\*)/)
    .map((part) => {
      if (part === "**.") return "(?:.+\\.)?"
      if (part === "**") return ".*"
      if (part === "*") return "[^.]*"
      return part.replace(/[\\^$.|?+()[\]{}]/g, "\\$&")
    })
    .join("")
  return `^${source}$`
}

/** Flags of JavaScript; `g`, `y` and `u` change nothing about whether a name matches. */
const flagBits: { readonly [flag: string]: number } = {
  i: RE2JS.CASE_INSENSITIVE,
  m: RE2JS.MULTILINE,
  s: RE2JS.DOTALL,
  g: 0,
  y: 0,
  u: 0
}
const bitsOf = (flag: string): number => {
  const bits = flagBits[flag]
  if (bits === undefined) throw new Error(`there is no flag "${flag}"`)
  return bits
}

/**
 * A test for layer names. A recipe may come from anywhere, so patterns are matched in time linear in the name's length, by RE2, which
 * has no lookaround and no references back. Raises PatternInvalid.
 */
export const compilePattern = (match: string): ((layer: string) => boolean) => {
  const [, source = globSource(match), flags = ""] = /^\/(.*)\/([a-z]*)$/s.exec(match) ?? []
  try {
    const bits = [...flags].reduce((all, flag) => all | bitsOf(flag), 0)
    const pattern = RE2JS.compile(source, bits)
    return (layer) => pattern.matcher(layer).find()
  } catch (error) {
    throw new PatternInvalid({ match, reason: error instanceof Error ? error.message : String(error) })
  }
}
