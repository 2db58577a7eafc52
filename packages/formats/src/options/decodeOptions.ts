/** Options out of what a person wrote in JSON: checked strictly, completed by their defaults. */
import * as Schema from "effect/Schema"
import type { ParseOptions } from "effect/SchemaAST"

/** Everything wrong is reported, a misspelt option is wrong, and the value met is told. */
export const strictly: ParseOptions = { errors: "all", onExcessProperty: "error", reportInput: true }

/**
 * The value of `options`. Raises what `refused` makes of a text that names everything that is wrong, each on a line.
 *
 * @example decodeOptions(exporter.Config, { rest: "bf16" }, (issue) => new ExportOptionsInvalid({ format, issue }))
 */
export const decodeOptions = <T>(
  schema: Schema.Codec<T, unknown>,
  options: object,
  refused: (issue: string) => Error
): T => {
  try {
    return Schema.decodeUnknownSync(schema)(options, strictly)
  } catch (error) {
    if (!Schema.isSchemaError(error)) throw error
    throw refused(error.message.replaceAll(/\n\s+at/g, " at"))
  }
}
