/** The options that there are, by where recipes write them. */
import { exporters } from "@speedq/exports"
import { AblationDocument, Recipe, RecipeSettings } from "@speedq/pipeline"
import { quantizers, RuleSpec } from "@speedq/quantizers"
import * as Stages from "@speedq/stages"
import { type Option, optionsOf } from "./schemaOptions.ts"

export interface Named {
  /** What recipes write. */
  readonly id: string
  readonly options: readonly Option[]
}

export const recipe: readonly Option[] = optionsOf(Recipe.RecipeDocument.ast, "recipe")
/** What code gives to Recipe.make. */
export const settings: readonly Option[] = optionsOf(RecipeSettings.ast, "recipe")
export const ablation: readonly Option[] = optionsOf(AblationDocument.ast, "ablation")
export const rule: readonly Option[] = optionsOf(RuleSpec.ast, "rule")

/** Stages with the name that code imports. */
export const stages: readonly (Named & { readonly symbol: string })[] = Stages.stages.map((stage) => {
  const symbol = Object.entries(Stages).find(([, value]) => value === stage)?.[0]
  if (symbol === undefined) throw new Error(`@speedq/stages does not export the stage ${stage.name}`)
  return { id: stage.name, symbol, options: optionsOf(stage.configAst, stage.name) }
})

export const quantizerOptions: readonly Named[] = quantizers.map(({ id, Config }) => ({
  id,
  options: optionsOf(Config.ast, id)
}))

export const exportOptions: readonly (Named & { readonly description: string })[] = exporters.map(
  ({ id, description, Config }) => ({ id, description, options: optionsOf(Config.ast, id) })
)

const stage = (id: string): readonly Option[] => {
  const found = stages.find((each) => each.id === id)
  if (found === undefined) throw new Error(`there is no stage ${id}`)
  return found.options
}

export const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b)

/** Options that all of these have. */
const shared = ([first, ...others]: readonly (readonly Option[])[]): readonly Option[] =>
  first!.filter((option) => others.every((options) => options.some((other) => isSame(other, option))))

/** The options below a named one, or in each entry of its list. Throws where there are none. */
const groupOf = (options: readonly Option[], name: string): readonly Option[] => {
  const found = options.find((option) => option.name === name)?.values
  const group = found?.kind === "list" ? found.of : found
  if (group?.kind !== "group") throw new Error(`${name} is no group of options`)
  return group.options
}

/** What stages that train share. */
export const training: readonly Option[] = shared(["train-projector", "qat", "joint-qat"].map(stage))
export const data: readonly Option[] = groupOf(training, "data")
export const loss: readonly Option[] = groupOf(stage("qat"), "loss")
export const otherLoss: readonly Option[] = groupOf(loss, "others")
export const benchmark: readonly Option[] = groupOf(stage("evaluate"), "benchmarks")
