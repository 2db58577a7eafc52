/**
 * The JSON Schema of recipes and ablations, draft 7: what editors check and complete. It is made from the schemas that decode
 * them; `use` and `format` decide by if/then which options stand beside them, so that an error is told where it is. Names that
 * are not ours are a plugin's.
 */
import { exporters } from "@speedq/exports"
import { AblationDocument, Recipe } from "@speedq/pipeline"
import { quantizers, RuleSpec } from "@speedq/quantizers"
import { stages } from "@speedq/stages"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

type JsonSchema = { readonly [key: string]: Schema.Json }

const isObject = (json: Schema.Json | undefined): json is JsonSchema =>
  typeof json === "object" && json !== null && !Array.isArray(json)

const reference = (name: string): JsonSchema => ({ $ref: `#/definitions/${name}` })

/** A reference with what else is known; beside `$ref` itself it would be ignored. */
const referenceWith = (name: string, { description, default: value }: JsonSchema): JsonSchema => ({
  ...(description === undefined ? {} : { description }),
  ...(value === undefined ? {} : { default: value }),
  allOf: [reference(name)]
})

/** Every whole number of JavaScript; that it is one, `type` says. */
const isAnyInteger = (key: string, value: Schema.Json) =>
  ["minimum", "maximum"].includes(key) && Math.abs(value as number) === Number.MAX_SAFE_INTEGER

/** Effect's JSON Schema as a person would write it: what checks add stands beside the type, lists have one kind of entry. */
const simplified = (json: Schema.Json): Schema.Json => {
  if (Array.isArray(json)) return json.map(simplified)
  if (!isObject(json)) return json
  const { allOf = [], prefixItems: _, ...before } = json
  const { unit, schemes, inCode, ...own } = Object.assign({}, before, ...(allOf as readonly JsonSchema[])) as JsonSchema
  if (schemes === true) return referenceWith(own.minItems === undefined ? "rulesOrNone" : "rules", own)
  if (inCode === "ChoiceInput") return reference("quantizer")
  const kept = Object.entries(own).filter(([key, value]) => !isAnyInteger(key, value))
  const told = [own.description, unit ? `Unit: ${unit}.` : undefined].filter((text) => text !== undefined).join(" ")
  return {
    ...Object.fromEntries(kept.map(([key, value]) => [key, simplifiedMember(key, value)])),
    ...(told === "" ? {} : { description: told })
  }
}

/** A default is a value; properties are schemas by names, and a name may be that of an annotation. */
const simplifiedMember = (key: string, value: Schema.Json): Schema.Json => {
  if (key === "default") return value
  if (key !== "properties" || !isObject(value)) return simplified(value)
  return Object.fromEntries(Object.entries(value).map(([name, property]) => [name, simplified(property)]))
}

/** Annotations that the simplification looks at. */
const known = ["schemes", "inCode", "unit"]

/** JSON Schema of what is written of a struct; it takes no other properties. */
const objectOf = (ast: SchemaAST.AST): JsonSchema => {
  const encoded = Schema.make<Schema.Codec<unknown>>(SchemaAST.toEncoded(ast))
  const { schema } = Schema.toJsonSchemaDocument(encoded, {
    onExcessProperty: "error",
    includeAnnotationKey: (key) => known.includes(key)
  })
  // Of a struct without fields Effect says that it may be anything.
  const isEmpty = SchemaAST.isObjects(encoded.ast) && encoded.ast.propertySignatures.length === 0
  return isEmpty ? { type: "object", additionalProperties: false } : (simplified(schema as JsonSchema) as JsonSchema)
}

const propertiesOf = ({ properties = {} }: JsonSchema): JsonSchema => properties as JsonSchema
const requiredOf = ({ required = [] }: JsonSchema): readonly string[] => required as readonly string[]

const withProperties = (schema: JsonSchema, properties: JsonSchema): JsonSchema => ({
  ...schema,
  properties: { ...propertiesOf(schema), ...properties }
})

const decide = (condition: JsonSchema, met: JsonSchema, otherwise?: JsonSchema): JsonSchema => ({
  if: condition,
  // biome-ignore lint/suspicious/noThenProperty: JSON Schema calls it so
  then: met,
  ...(otherwise === undefined ? {} : { else: otherwise })
})

/** `met` where a property has this value. */
const when = (property: string, value: string, met: JsonSchema): JsonSchema =>
  decide({ required: [property], properties: { [property]: { const: value } } }, met)

/** The name of a kind: editors complete ours, and plugins bring others, whose options are not known here. */
const kindName = (description: Schema.Json | undefined, ids: readonly string[]): JsonSchema => ({
  ...(description === undefined ? {} : { description }),
  anyOf: [{ enum: [...ids] }, { type: "string" }]
})

/** Kinds of something, whose options are definitions of the schema. */
interface Kinds {
  /** The property that names a kind. */
  readonly property: string
  readonly prefix: string
  readonly options: ReadonlyMap<string, JsonSchema>
}

const kindsOf = (
  property: string,
  prefix: string,
  kinds: readonly { readonly id: string; readonly Config: { readonly ast: SchemaAST.AST } }[]
): Kinds => ({ property, prefix, options: new Map(kinds.map(({ id, Config }) => [id, objectOf(Config.ast)])) })

const definitionsOf = ({ prefix, options }: Kinds): JsonSchema =>
  Object.fromEntries([...options].map(([id, schema]) => [`${prefix}-${id}`, schema]))

/** What has options in `with`: which they are follows from the kind. */
const withOptions = (schema: JsonSchema, { property, prefix, options }: Kinds): JsonSchema => ({
  ...withProperties(schema, {
    [property]: kindName((propertiesOf(schema)[property] as JsonSchema).description, [...options.keys()])
  }),
  allOf: [...options].map(([id, own]) =>
    when(property, id, {
      properties: { with: reference(`${prefix}-${id}`) },
      ...(requiredOf(own).length > 0 ? { required: ["with"] } : {})
    })
  )
})

const quantizerKinds = kindsOf("use", "quantizer", quantizers)
const exportKinds = kindsOf("format", "export", exporters)

const ruleFields = objectOf(RuleSpec.ast)
const rule = withOptions(ruleFields, quantizerKinds)

const { use, with: options } = propertiesOf(ruleFields) as { readonly use: JsonSchema; readonly with: JsonSchema }
const quantizer = withOptions(
  { type: "object", properties: { use, with: options }, required: ["use"], additionalProperties: false },
  quantizerKinds
)

const schemeName: JsonSchema = { type: "string", description: "Name of a scheme of this recipe." }

const schemeEntry: JsonSchema = {
  type: "object",
  description: "The rules of a scheme, each with these fields besides its own.",
  properties: { scheme: schemeName, ...propertiesOf(ruleFields) },
  required: ["scheme"],
  additionalProperties: false
}

const ruleEntry: JsonSchema = {
  type: ["object", "string"],
  ...decide(
    { type: "string" },
    schemeName,
    decide({ required: ["scheme"] }, reference("schemeEntry"), reference("rule"))
  )
}

const rulesOf = (atLeast: object): JsonSchema => ({
  type: ["array", "string"],
  ...decide({ type: "string" }, {}, { items: reference("ruleEntry"), ...atLeast })
})

const stageKinds = stages.map(({ name, configAst }) => {
  const options = objectOf(configAst)
  const own = name === "export" ? withOptions(options, exportKinds) : options
  const schema = withProperties({ ...own, required: ["use", ...requiredOf(own)] }, { use: { const: name } })
  return { name, schema }
})

const stage: JsonSchema = {
  type: "object",
  properties: {
    use: kindName(
      "Kind of stage; its options stand beside it.",
      stageKinds.map(({ name }) => name)
    )
  },
  required: ["use"],
  allOf: stageKinds.map(({ name }) => when("use", name, reference(`stage-${name}`)))
}

const { schemes, stages: list, ...settings } = Recipe.RecipeDocument.fields
const describe = (field: { readonly ast: SchemaAST.AST }) => ({
  description: String(SchemaAST.resolve(SchemaAST.toEncoded(field.ast))?.description)
})

const recipe = (() => {
  const own = objectOf(Schema.Struct(settings).ast)
  return withProperties(
    { ...own, required: [...requiredOf(own), "stages"] },
    {
      schemes: {
        ...describe(schemes),
        type: "object",
        additionalProperties: { type: "array", items: reference("ruleEntry") }
      },
      stages: { ...describe(list), type: "array", items: reference("stage"), minItems: 1 }
    }
  )
})()

export const recipeSchema: JsonSchema = {
  $schema: "http://json-schema.org/draft-07/schema#",
  $id: "urn:speedq:recipe:1",
  title: "A recipe of speedq, or an ablation of one",
  // What has variants is an ablation.
  ...decide({ required: ["variants"] }, reference("ablation"), reference("recipe")),
  definitions: {
    recipe,
    ablation: objectOf(AblationDocument.ast),
    stage,
    ...Object.fromEntries(stageKinds.map(({ name, schema }) => [`stage-${name}`, schema])),
    rule,
    quantizer,
    ...definitionsOf(quantizerKinds),
    ...definitionsOf(exportKinds),
    schemeEntry,
    ruleEntry,
    rules: rulesOf({ minItems: 1 }),
    rulesOrNone: rulesOf({})
  }
}
