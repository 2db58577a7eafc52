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

/** The names that an unexpected one could have meant, by its path. */
const namesInPlaceOf = (
  issue: SchemaIssue.Issue,
  path: Path = []
): ReadonlyArray<readonly [string, readonly string[]]> => {
  switch (issue._tag) {
    case "UnexpectedKey": {
      const fields = SchemaAST.isObjects(issue.ast) ? issue.ast.propertySignatures : []
      return [[formatPath(path), fields.map(({ name }) => String(name))]]
    }
    case "Pointer":
      return namesInPlaceOf(issue.issue, [...path, ...issue.path])
    case "Composite":
    case "AnyOf":
      return issue.issues.flatMap((each) => namesInPlaceOf(each, path))
    case "Filter":
    case "Encoding":
      return namesInPlaceOf(issue.issue, path)
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

const isIn = (list: unknown, index: PropertyKey | undefined): boolean =>
  Array.isArray(list) && typeof index === "number" && index < list.length

/** One problem for each issue, its path below `base`. */
export const optionProblems = ({ issue }: SchemaError, base: Path = []): ReadonlyArray<OptionProblem> => {
  const whole = SchemaIssue.hasInput(issue) ? issue.input : undefined
  const names = new Map(namesInPlaceOf(issue))
  return format(issue).issues.map(({ message, path = [] }) => {
    const keys = path.map((segment) => (typeof segment === "object" ? segment.key : segment))
    const [outer, key] = [keys.slice(0, -1), keys.at(-1)]
    const list = valueAt(whole, outer)
    if (message === "Missing key" && Array.isArray(list) && !isIn(list, key)) {
      const issue =
        list.length === 0 ? "the list is empty; give at least one entry" : `the list has no entry ${String(key)}`
      return { path: formatPath([...base, ...outer]), issue }
    }
    const known = message === "Unexpected key" ? names.get(formatPath(keys)) : undefined
    const value = valueAt(whole, keys)
    const told =
      typeof value === "object" && value !== null
        ? message.replace(/, got [[{][\s\S]*$/, `, got ${summary(value)}`)
        : message
    return { path: formatPath([...base, ...keys]), issue: told + didYouMean(String(key), known ?? []) }
  })
}
