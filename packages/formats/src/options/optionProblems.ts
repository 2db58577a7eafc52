/** What a schema found wrong, as problems with a path like `stages[1].quantizer.bits`. */
import type { SchemaError } from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import * as SchemaIssue from "effect/SchemaIssue"
import { didYouMean } from "./nearest.ts"

/** What is wrong at a place in options. */
export interface OptionProblem {
  readonly path: string
  readonly issue: string
}

/** All of them in one line. */
export const problemsInLine = (problems: ReadonlyArray<OptionProblem>): string =>
  problems.map(({ path, issue }) => (path === "" ? issue : `${path}: ${issue}`)).join("; ")

type Path = ReadonlyArray<PropertyKey>

/** `stages[1].steps` from `["stages", 1, "steps"]`. */
export const formatPath = (path: Path): string =>
  path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`),
    ""
  )

const format = SchemaIssue.makeFormatterStandardSchemaV1({
  // Its value says nothing about a name that is wrong.
  leafHook: (issue) =>
    issue._tag === "UnexpectedKey"
      ? "Unexpected key"
      : SchemaIssue.defaultLeafHook(issue).replace("a valid ByteSize string", 'a size such as "4 GiB" or "500 MB"')
})

/** The names of the fields at each path where something is wrong, in every form that what is there may have. */
const fieldsOf = (issue: SchemaIssue.Issue, path: Path = []): ReadonlyArray<readonly [string, string]> => {
  switch (issue._tag) {
    case "Pointer":
      return fieldsOf(issue.issue, [...path, ...issue.path])
    case "Composite": {
      const fields = SchemaAST.isObjects(issue.ast) ? issue.ast.propertySignatures : []
      const own = fields.map(({ name }) => [formatPath(path), String(name)] as const)
      return [...own, ...issue.issues.flatMap((each) => fieldsOf(each, path))]
    }
    case "AnyOf":
      return issue.issues.flatMap((each) => fieldsOf(each, path))
    case "Filter":
    case "Encoding":
      return fieldsOf(issue.issue, path)
    default:
      return []
  }
}

const valueAt = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>((outer, key) => (outer as { readonly [key: PropertyKey]: unknown } | undefined)?.[key], value)

/** A list or an object in some words: a whole recipe in a message would hide what is wrong. */
const summary = (value: unknown): string => {
  if (Array.isArray(value)) return `a list of ${value.length}`
  const names = Object.keys(value as object)
  return names.length === 0
    ? "an empty object"
    : `an object with ${names.slice(0, 5).join(", ")}${names.length > 5 ? ", ..." : ""}`
}

/** One problem for each issue, its path below `base`. */
export const optionProblems = ({ issue }: SchemaError, base: Path = []): ReadonlyArray<OptionProblem> => {
  const whole = SchemaIssue.hasInput(issue) ? issue.input : undefined
  const fields = fieldsOf(issue)
  const fieldsAt = (path: Path) => fields.flatMap(([at, name]) => (at === formatPath(path) ? [name] : []))
  return format(issue).issues.map(({ message, path = [] }) => {
    const keys = path.map((segment) => (typeof segment === "object" ? segment.key : segment))
    const [outer, key] = [keys.slice(0, -1), String(keys.at(-1))]
    const around = valueAt(whole, outer)
    const problem = (issue: string, place: Path = keys) => ({ path: formatPath([...base, ...place]), issue })
    if (message === "Unexpected key") return problem(message + didYouMean(key, fieldsAt(outer)))
    if (message === "Missing key") {
      if (Array.isArray(around)) return problem("the list is empty; give at least one entry", outer)
      const known = fieldsAt(outer)
      const others = Object.keys((around ?? {}) as object).filter((name) => !known.includes(name))
      return problem(message + didYouMean(key, others, "is it meant by"))
    }
    const value = valueAt(whole, keys)
    if (typeof value !== "object" || value === null) return problem(message)
    return problem(message.replace(/, got [[{][\s\S]*$/, `, got ${summary(value)}`))
  })
}
