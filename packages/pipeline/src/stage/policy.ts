/**
 * Policy options say how a run is carried out, not what it computes: caches, workers, what becomes of bad records. They are no part
 * of a stage's key, so that they may be changed at any time.
 */
import type { Json } from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { accepts } from "../json/accepts.ts"
import { isJsonArray, isJsonObject } from "../json/canonicalJson.ts"

/** Whether an option is one, by what its schema says of it (`policy` in @speedq/formats). */
const isPolicy = (ast: SchemaAST.AST): boolean => SchemaAST.resolveAt<boolean>("policy")(ast) === true

/** A configuration without its policy options, at any depth. `ast` is the JSON side of its schema, which accepts `value`. */
export const withoutPolicy = (ast: SchemaAST.AST, value: Json): Json => {
  if (SchemaAST.isSuspend(ast)) return withoutPolicy(ast.thunk(), value)
  if (SchemaAST.isUnion(ast)) {
    const form = ast.types.find((type) => accepts(type, value))
    return form === undefined ? value : withoutPolicy(form, value)
  }
  if (SchemaAST.isArrays(ast) && isJsonArray(value)) {
    return value.map((each, index) => below(ast.elements[index] ?? ast.rest[0], each))
  }
  if (!SchemaAST.isObjects(ast) || !isJsonObject(value)) return value
  const typeOf = (name: string) =>
    ast.propertySignatures.find((signature) => signature.name === name)?.type ?? ast.indexSignatures[0]?.type
  return Object.fromEntries(
    Object.entries(value).flatMap(([name, each]) => {
      const type = typeOf(name)
      return type !== undefined && isPolicy(type) ? [] : [[name, below(type, each)]]
    })
  )
}

const below = (ast: SchemaAST.AST | undefined, value: Json): Json =>
  ast === undefined ? value : withoutPolicy(ast, value)
