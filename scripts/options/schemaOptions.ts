/** Options as pages and interfaces show them, read from a schema's JSON side. */
import * as SchemaAST from "effect/SchemaAST"

/** What values an option takes. `group` are options of their own, `inCode` is the TypeScript type where it is narrower than JSON. */
export type Values =
  | { readonly kind: "text" | "number" | "boolean" | "null" | "json" }
  | { readonly kind: "literal"; readonly value: string | number }
  | { readonly kind: "inCode"; readonly type: string; readonly json: Values }
  | { readonly kind: "either"; readonly of: readonly Values[] }
  | { readonly kind: "list"; readonly of: Values; readonly atLeastOne: boolean }
  | { readonly kind: "record"; readonly of: Values }
  | { readonly kind: "group"; readonly options: readonly Option[] }

export interface Option {
  readonly name: string
  readonly required: boolean
  readonly values: Values
  readonly description: string
  readonly unit: string | undefined
  readonly source: string | undefined
  /** Undefined where there is none. */
  readonly default: unknown
  /** Whether it may be changed while a run goes on. */
  readonly policy: boolean
}

/** What is told of policy options. */
export const policyText = "May be changed while a run goes on."

/** The options of a struct. Throws where one has no description, and where values are of a kind that pages do not know. */
export const optionsOf = (ast: SchemaAST.AST, place: string): readonly Option[] => {
  const encoded = SchemaAST.toEncoded(ast)
  if (!SchemaAST.isObjects(encoded)) throw new Error(`${place} is no struct of options`)
  return encoded.propertySignatures.map(({ name, type }) => optionOf(String(name), type, `${place}.${String(name)}`))
}

const optionOf = (name: string, ast: SchemaAST.AST, place: string): Option => {
  const { description, unit, source, policy, default: value } = SchemaAST.resolve(ast) ?? {}
  if (typeof description !== "string") throw new Error(`${place} has no description: declare it by option(...)`)
  const text = (annotation: unknown) => (typeof annotation === "string" ? annotation : undefined)
  return {
    name,
    required: !SchemaAST.isOptional(ast),
    values: valuesOf(ast, place),
    description,
    unit: text(unit),
    source: text(source),
    default: value,
    policy: policy === true
  }
}

const valuesOf = (ast: SchemaAST.AST, place: string): Values => {
  const { inCode } = SchemaAST.resolve(ast) ?? {}
  const json = jsonValues(ast, place)
  return typeof inCode === "string" ? { kind: "inCode", type: inCode, json } : json
}

const jsonValues = (ast: SchemaAST.AST, place: string): Values => {
  const within = (part: SchemaAST.AST) => valuesOf(part, place)
  if (SchemaAST.isString(ast)) return { kind: "text" }
  if (SchemaAST.isNumber(ast)) return { kind: "number" }
  if (SchemaAST.isBoolean(ast)) return { kind: "boolean" }
  if (SchemaAST.isNull(ast)) return { kind: "null" }
  // Of declarations, options have only Schema.Json.
  if (SchemaAST.isDeclaration(ast)) return { kind: "json" }
  if (SchemaAST.isUnion(ast)) return { kind: "either", of: ast.types.map(within) }
  if (SchemaAST.isLiteral(ast) && typeof ast.literal !== "boolean" && typeof ast.literal !== "bigint") {
    return { kind: "literal", value: ast.literal }
  }
  if (SchemaAST.isArrays(ast) && ast.rest.length === 1) {
    return { kind: "list", of: within(ast.rest[0]!), atLeastOne: ast.elements.length > 0 }
  }
  if (SchemaAST.isObjects(ast)) {
    const [index] = ast.indexSignatures
    // A stage of a recipe has an index besides its properties: the options of its kind, which stand on their own.
    if (index === undefined || ast.propertySignatures.length > 0)
      return { kind: "group", options: optionsOf(ast, place) }
    return { kind: "record", of: within(index.type) }
  }
  throw new Error(`${place}: pages and interfaces do not know ${ast._tag}`)
}
