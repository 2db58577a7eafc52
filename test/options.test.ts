/** What every option tells of itself; help, hover texts, docs/options.md and the JSON Schema are made from it. */
import { losses } from "@speedq/distillation"
import { benchmarks } from "@speedq/evaluation"
import { exporters } from "@speedq/exports"
import { assert, describe, it } from "vitest"
import { ablation, exportOptions, quantizerOptions, recipe, rule, stages } from "../scripts/options/optionGroups.ts"
import type { Option, Values } from "../scripts/options/schemaOptions.ts"

/** Options with their places, those below groups and in entries of lists included. */
const all = (options: readonly Option[], place: string): readonly (readonly [string, Option])[] =>
  options.flatMap((option) => {
    const own = `${place}.${option.name}`
    return [[own, option] as const, ...below(option.values, own)]
  })

const below = (values: Values, place: string): readonly (readonly [string, Option])[] => {
  switch (values.kind) {
    case "group":
      return all(values.options, place)
    case "list":
    case "record":
      return below(values.of, place)
    case "either":
      return values.of.flatMap((part) => below(part, place))
    default:
      return []
  }
}

const options = [
  ...all(recipe, "recipe"),
  ...all(rule, "rule"),
  ...all(ablation, "ablation"),
  ...[...stages, ...quantizerOptions, ...exportOptions].flatMap(({ id, options: own }) => all(own, id))
]
const isEmpty = (value: unknown) => ["{}", "[]"].includes(JSON.stringify(value))

describe("names in code", () => {
  it("are those of the registries, and open to what plugins bring", () => {
    const known = (values: readonly { readonly id: string }[] | readonly { readonly name: string }[]) =>
      values.map((value) => ("id" in value ? value.id : value.name)).sort()
    const typed = new Map(
      options.flatMap(([place, { values }]) => (values.kind === "inCode" ? [[place, values.type]] : []))
    )
    const namesAt = (place: string) => {
      const names = typed.get(place)?.split(" | ") ?? []
      assert.strictEqual(names.at(-1), "(string & Record<never, never>)", place)
      return names
        .slice(0, -1)
        .map((name) => JSON.parse(name))
        .sort()
    }
    assert.deepStrictEqual(namesAt("export.format"), known(exporters))
    assert.deepStrictEqual(namesAt("qat.loss.others.use"), known(losses))
    assert.deepStrictEqual(namesAt("evaluate.benchmarks.name"), known(benchmarks))
  })
})

describe("options", () => {
  it("are there, whole sentences", () => {
    assert.isAtLeast(options.length, 150)
    assert.deepEqual(
      options.filter(([, { description }]) => !/^(\p{Lu}|`).*\.$/u.test(description)).map(([place]) => place),
      []
    )
  })

  it("with a default say where it comes from", () => {
    const silent = options.filter(
      ([, { default: value, source }]) => value !== undefined && !isEmpty(value) && source === undefined
    )
    assert.deepEqual(
      silent.map(([place]) => place),
      []
    )
  })
})
