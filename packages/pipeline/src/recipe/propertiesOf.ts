/** What a schema has by name. */
import * as SchemaAST from "effect/SchemaAST"

interface Property {
  readonly name: string
  readonly type: SchemaAST.AST
}

/** The named properties of an object's schema; those of every form where it has several, none of anything else. */
export const propertiesOf = (ast: SchemaAST.AST): readonly Property[] => {
  if (SchemaAST.isUnion(ast)) return ast.types.flatMap(propertiesOf)
  if (!SchemaAST.isObjects(ast)) return []
  return ast.propertySignatures.flatMap(({ name, type }) => (typeof name === "string" ? [{ name, type }] : []))
}
