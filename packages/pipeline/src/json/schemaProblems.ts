/** What a schema found wrong, as problems with a path like `stages[1].quantizer.bits`. */
import type { SchemaError } from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"
import type { RecipeProblem } from "../Errors.ts"

const format = SchemaIssue.makeFormatterStandardSchemaV1()

/** `stages[1].steps` from `["stages", 1, "steps"]`. */
export const formatPath = (path: ReadonlyArray<PropertyKey>): string =>
  path.reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : text === "" ? String(key) : `${text}.${String(key)}`),
    ""
  )

/** One problem for each issue, its path below `base`. */
export const schemaProblems = (
  error: SchemaError,
  base: ReadonlyArray<PropertyKey> = []
): ReadonlyArray<RecipeProblem> =>
  format(error.issue).issues.map(({ message, path = [] }) => ({
    path: formatPath([...base, ...path.map((segment) => (typeof segment === "object" ? segment.key : segment))]),
    issue: message
  }))
