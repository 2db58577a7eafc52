/** TypeScript interfaces of options: stages and quantizers take them, so that editors show what an option means. */
import {
  benchmark,
  data,
  isSame,
  loss,
  otherLoss,
  quantizerOptions,
  rule,
  settings,
  stages,
  training
} from "./optionGroups.ts"
import { type Option, policyText, type Values } from "./schemaOptions.ts"

type Interfaces = ReadonlyMap<string, readonly Option[]>

/** A file of interfaces; they may name each other, and `imported` types of other packages. */
interface InterfaceFile {
  readonly file: string
  readonly about: string
  readonly imported: { readonly [type: string]: string }
  readonly interfaces: Interfaces
}

const byId = (id: string) => quantizerOptions.find((quantizer) => quantizer.id === id)!.options
const files: readonly InterfaceFile[] = [
  {
    file: "packages/quantizers/src/quantizer/quantizerOptions.ts",
    about: "Options of quantizers, and the layers that a rule is for.",
    imported: {},
    interfaces: new Map([
      ["BilevelOptions", byId("bilevel")],
      ["UniformOptions", byId("uniform")],
      ["FlatAsymmetricOptions", byId("int2-asym")],
      ["N2f3Options", byId("n2f3")],
      ["EmbeddingSym4Options", byId("embedding-sym4")],
      ["RuleTarget", rule.filter(({ name }) => !["use", "with"].includes(name))]
    ])
  },
  {
    file: "packages/pipeline/src/recipe/recipeOptions.ts",
    about: "What a recipe says besides its stages.",
    imported: {},
    interfaces: new Map([["RecipeOptions", settings]])
  },
  {
    file: "packages/stages/src/registry/stageOptions.ts",
    about: "Options of the stages.",
    imported: { ChoiceInput: "@speedq/quantizers", RuleInput: "@speedq/quantizers", Json: "effect/Schema" },
    interfaces: new Map([
      ["DataOptions", data],
      ["OtherLossOptions", otherLoss],
      ["LossOptions", loss],
      ["BenchmarkOptions", benchmark],
      ["TrainingStageOptions", training],
      ...stages.map(({ symbol, options }) => [`${symbol}Options`, options] as const)
    ])
  }
]

/** Lines of at most 110 characters. */
const wrapped = (text: string): readonly string[] =>
  [...text.matchAll(/\S.{0,108}\S(?=\s|$)|\S+/g)].map(([line]) => line)

const comment = ({ description, unit, source, policy, default: value }: Option): readonly string[] => {
  const about = value === undefined ? "Left out" : "Default from"
  const paragraphs = [
    description,
    ...(unit === undefined ? [] : [`Unit: ${unit}.`]),
    ...(source === undefined ? [] : [`${about}: ${source}.`]),
    ...(policy ? [policyText] : [])
  ]
  const lines = [
    ...paragraphs.flatMap((text, index) => (index === 0 ? wrapped(text) : ["", ...wrapped(text)])),
    ...(value === undefined ? [] : [`@default ${JSON.stringify(value)}`])
  ]
  if (lines.length === 1) return [`/** ${lines[0]} */`]
  return ["/**", ...lines.map((line) => (line === "" ? " *" : ` * ${line}`)), " */"]
}

const indented = (lines: readonly string[]): readonly string[] => lines.map((line) => `  ${line}`)

/** The interface of these options, where they have one. */
const nameOf = (options: readonly Option[], interfaces: Interfaces): string | undefined =>
  [...interfaces].find(([, candidate]) => isSame(candidate, options))?.[0]

const typeOf = (values: Values, interfaces: Interfaces): string => {
  const within = (part: Values) => typeOf(part, interfaces)
  switch (values.kind) {
    case "text":
      return "string"
    case "number":
    case "boolean":
    case "null":
      return values.kind
    case "json":
      return "Json"
    case "literal":
      return JSON.stringify(values.value)
    case "inCode":
      return values.type
    case "either":
      return values.of.map(within).join(" | ")
    case "list":
      return listOf(within(values.of), values.atLeastOne)
    case "record":
      return `{ readonly [name: string]: ${within(values.of)} }`
    case "group":
      return nameOf(values.options, interfaces) ?? ["{", ...body(values.options, interfaces), "}"].join("\n")
  }
}

const listOf = (type: string, atLeastOne: boolean): string => {
  if (!/^\w+$/.test(type)) throw new Error(`a list needs a name for its entries: give them an interface\n${type}`)
  return atLeastOne ? `readonly [${type}, ...${type}[]]` : `readonly ${type}[]`
}

const body = (options: readonly Option[], interfaces: Interfaces): readonly string[] =>
  options.flatMap((option) => {
    const [first, ...rest] = typeOf(option.values, interfaces).split("\n")
    return indented([...comment(option), `readonly ${option.name}${option.required ? "" : "?"}: ${first}`, ...rest])
  })

/** An interface that has all of an earlier one's options extends it. */
const declaration = (name: string, options: readonly Option[], interfaces: Interfaces): string => {
  const earlier = [...interfaces].slice(0, [...interfaces.keys()].indexOf(name))
  const has = (candidate: readonly Option[], option: Option) => candidate.some((other) => isSame(other, option))
  const base = earlier.find(([, candidate]) => candidate.every((option) => has(options, option)))
  if (base === undefined) return [`export interface ${name} {`, ...body(options, interfaces), "}", ""].join("\n")
  const own = options.filter((option) => !has(base[1], option))
  if (own.length === 0) return `export type ${name} = ${base[0]}\n`
  return [`export interface ${name} extends ${base[0]} {`, ...body(own, interfaces), "}", ""].join("\n")
}

const page = ({ about, imported, interfaces }: InterfaceFile): string => {
  const text = [...interfaces].map(([name, options]) => declaration(name, options, interfaces)).join("\n")
  const modules = new Map<string, string[]>()
  for (const [type, module] of Object.entries(imported)) {
    if (new RegExp(`\\b${type}\\b`).test(text)) modules.set(module, [...(modules.get(module) ?? []), type])
  }
  const imports = [...modules].map(([module, types]) => `import type { ${types.join(", ")} } from "${module}"`)
  const head = `/** ${about} Written by \`npm run options\` from the schemas. */`
  return [head, ...imports, "", text].join("\n")
}

/** Files and what they hold. */
export const interfaceFiles = (): ReadonlyMap<string, string> => new Map(files.map((each) => [each.file, page(each)]))
