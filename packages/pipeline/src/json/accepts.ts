import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"

/** Making a check takes longer than checking. */
const checks = new WeakMap<SchemaAST.AST, (value: unknown) => boolean>()

/** Whether a value is one of the schema's. */
export const accepts = (ast: SchemaAST.AST, value: unknown): boolean => {
  const check = checks.get(ast) ?? Schema.is(Schema.make<Schema.Codec<unknown>>(ast))
  checks.set(ast, check)
  return check(value)
}
