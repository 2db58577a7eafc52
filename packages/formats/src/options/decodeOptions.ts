/** Options out of what a person wrote in JSON: checked strictly, completed by their defaults. */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { type OptionProblem, optionProblems, problemsInLine } from "./optionProblems.ts"

/** Everything wrong is reported, a misspelt option is wrong, and the value met is told. */
const strictly: SchemaAST.ParseOptions = { errors: "all", onExcessProperty: "error", reportInput: true }

/** Decodes what a person wrote, or tells all that is wrong with it. */
export const strictDecoder = <T>(
  schema: Schema.Codec<T, unknown>
): ((written: unknown) => Result.Result<T, ReadonlyArray<OptionProblem>>) => {
  const decode = Schema.decodeUnknownResult(schema, strictly)
  // Effect's struct without fields takes everything that is not null; options that are none take none.
  const hasNone = isEmpty(SchemaAST.toEncoded(schema.ast))
  return (written) => {
    const excess = hasNone ? excessOf(written) : []
    return excess.length > 0 ? Result.fail(excess) : Result.mapError(decode(written), (error) => optionProblems(error))
  }
}

const isEmpty = (ast: SchemaAST.AST): boolean =>
  SchemaAST.isObjects(ast) && ast.propertySignatures.length === 0 && ast.indexSignatures.length === 0

const excessOf = (written: unknown): ReadonlyArray<OptionProblem> =>
  typeof written === "object" && written !== null && !Array.isArray(written)
    ? Object.keys(written).map((path) => ({ path, issue: "Unexpected key; there are no options" }))
    : [{ path: "", issue: "Expected an object without keys" }]

/**
 * The value of `options`. Raises what `refused` makes of a text that names everything that is wrong.
 *
 * @example decodeOptions(exporter.Config, { rest: "bf16" }, (issue) => new ExportOptionsInvalid({ format, issue }))
 */
export const decodeOptions = <T>(
  schema: Schema.Codec<T, unknown>,
  options: object,
  refused: (issue: string) => Error
): T => {
  const decoded = strictDecoder(schema)(options)
  if (Result.isSuccess(decoded)) return decoded.success
  throw refused(problemsInLine(decoded.failure))
}
