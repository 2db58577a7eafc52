import * as Schema from "effect/Schema"
import type * as SchemaAST from "effect/SchemaAST"

/** Whether a value is one of the schema's. */
export const accepts = (ast: SchemaAST.AST, value: unknown): boolean =>
  Schema.is(Schema.make<Schema.Codec<unknown>>(ast))(value)
