/** docs/options.md: every option of recipes with its meaning, unit, default, and where the default comes from. */
import {
  ablation,
  benchmark,
  data,
  exportOptions,
  isSame,
  loss,
  quantizerOptions,
  recipe,
  rule,
  stages,
  training
} from "./optionGroups.ts"
import { type Option, policyText, type Values } from "./schemaOptions.ts"

const pages = /docs\/([\w-]+)\.md(#([\w-]+))?/g
const papers = /arXiv:(\d{4}\.\d{5})/g

/** A page of this folder, or a paper, as a link. */
const linked = (text: string): string =>
  text
    .replace(pages, (_, page: string, anchor = "", heading?: string) => {
      const shown = (heading ?? page).replaceAll("-", " ")
      return `[${shown}](${page}.md${anchor})`
    })
    .replace(papers, "[$&](https://arxiv.org/abs/$1)")

/** Text in a cell of a table. */
const cell = (text: string): string => text.replaceAll("|", "\\|")

const defaultOf = ({ required, default: value }: Option): string => {
  if (required) return "required"
  return value === undefined ? "none" : `\`${JSON.stringify(value)}\``
}

const row = (option: Option, prefix: string): string => {
  const meaning = option.policy ? `${option.description} ${policyText}` : option.description
  const cells = [`\`${prefix}${option.name}\``, meaning, option.unit ?? "", defaultOf(option), option.source ?? ""]
  return `| ${cells.map((text) => cell(linked(text))).join(" | ")} |`
}

/** Groups that have a section of their own. */
const sections: ReadonlyMap<string, readonly Option[]> = new Map([
  ["Data", data],
  ["Losses", loss],
  ["Benchmarks of an evaluation", benchmark]
])
const anchorOf = (heading: string): string => heading.toLowerCase().replaceAll(" ", "-")

const groupIn = (values: Values): readonly Option[] | undefined => {
  if (values.kind === "group") return values.options
  if (values.kind === "list") return groupIn(values.of)
  return undefined
}

/** Rows of an option: its own, and those of the options below it, unless they have a section. */
const rows = (option: Option, prefix = ""): readonly string[] => {
  const group = groupIn(option.values)
  if (group === undefined) return [row(option, prefix)]
  const section = [...sections].find(([, options]) => isSame(options, group))?.[0]
  if (section !== undefined) {
    return [row({ ...option, description: `${option.description} See [${section}](#${anchorOf(section)}).` }, prefix)]
  }
  const list = option.values.kind === "list" ? "[]" : ""
  return [row(option, prefix), ...group.flatMap((below) => rows(below, `${prefix}${option.name}${list}.`))]
}

const table = (options: readonly Option[]): readonly string[] =>
  options.length === 0
    ? ["No options.", ""]
    : [
        "| option | meaning | unit | default | default from |",
        "| --- | --- | --- | --- | --- |",
        ...options.flatMap((option) => rows(option)),
        ""
      ]

const has = (options: readonly Option[], option: Option) => options.some((other) => isSame(other, option))
const isTraining = (options: readonly Option[]) => training.every((option) => has(options, option))

const stageSection = ({ id, options }: { readonly id: string; readonly options: readonly Option[] }) => {
  const head = [`### \`${id}\``, ""]
  if (!isTraining(options)) return [...head, ...table(options)]
  const own = options.filter((option) => !has(training, option))
  const told = "The options of [training stages](#training-stages)"
  return own.length === 0 ? [...head, `${told}.`, ""] : [...head, `${told}, and:`, "", ...table(own)]
}

export const optionsPage = (): string =>
  [
    "# Options",
    "",
    "Every option of a recipe: what it does, what its number counts, what stands for it when it is left out, and where that default comes from.",
    "Written by `npm run options` from the schemas in the code; editors show the same texts, in TypeScript on hover and in JSON by `configs/recipe.schema.json`.",
    "Where a default says `none`, leaving the option out means what the last column says.",
    "",
    "- [Recipe](#recipe)",
    "- [Rules](#rules)",
    "- [Stages](#stages)",
    "- [Quantizers](#quantizers)",
    "- [Export formats](#export-formats)",
    "- [Ablations](#ablations)",
    "",
    "## Recipe",
    "",
    ...table(recipe),
    "## Rules",
    "",
    'Options that take rules take a list of them: `{ "match": "**.down_proj", "use": "bilevel", "with": { ... } }`.',
    'They may also name a scheme of the recipe, `"quantizers": "w2g16"`; an entry `{ "scheme": "w2g16", "tower": "vision" }` sets these fields in each of its rules.',
    "The first rule that matches a layer decides; layers without one stay in full precision.",
    "",
    ...table(rule),
    "## Stages",
    "",
    "### Training stages",
    "",
    `Shared by ${stages
      .filter(({ options }) => isTraining(options))
      .map(({ id }) => `\`${id}\``)
      .join(", ")}.`,
    "",
    ...table(training),
    "### Data",
    "",
    "What a training stage learns from, what `allocate-bits` measures on, and what `autoclip` may calibrate on.",
    "",
    ...table(data),
    "### Losses",
    "",
    ...table(loss),
    ...stages.flatMap(stageSection),
    "### Benchmarks of an evaluation",
    "",
    ...table(benchmark),
    "## Quantizers",
    "",
    "In the `with` of a rule.",
    "",
    ...quantizerOptions.flatMap(({ id, options }) => [`### \`${id}\``, "", ...table(options)]),
    "## Export formats",
    "",
    "In the `with` of the stage `export`.",
    "",
    ...exportOptions.flatMap(({ id, description, options }) => [
      `### Format \`${id}\``,
      "",
      `${description[0]!.toUpperCase()}${description.slice(1)}.`,
      "",
      ...table(options)
    ]),
    "## Ablations",
    "",
    "A file with `variants` is an ablation: several variants of one recipe, each with several seeds.",
    "",
    ...table(ablation)
  ].join("\n")
