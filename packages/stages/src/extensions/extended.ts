/** Adds what a user brings to what is known: every value is looked at, and no id may mean two things. */
import type { Loss } from "@speedq/distillation"
import type { Benchmark } from "@speedq/evaluation"
import type { Exporter } from "@speedq/exports"
import { nearest } from "@speedq/formats"
import type { Quantizer } from "@speedq/quantizers"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { stages as ours } from "../registry/stages.ts"
import { type AddedPlugin, builtIn, type ExtensionLists, Extensions, type OwnStage } from "./Extensions.ts"
import { type AnyKind, extensionKinds, type ListName, problemsOf, titleOf } from "./extensionKinds.ts"
import { guarded } from "./guarded.ts"
import { inCode, type Plugin } from "./Plugin.ts"
import { PluginInvalid } from "./PluginInvalid.ts"

const listNames = Object.keys(extensionKinds) as readonly ListName[]

/** A value of any kind, as far as lists are concerned. */
type Value = Quantizer | Loss | Exporter | Benchmark | OwnStage
const idOf = (value: Value): string => ("id" in value ? value.id : value.name)
const isSameId = (a: string, b: string): boolean => a.toLowerCase() === b.toLowerCase()

/** Raises PluginInvalid where the plugin has a field that is none, or a list that is none. */
const checkFields = (plugin: Plugin, file: string): void => {
  for (const [field, list] of Object.entries(plugin)) {
    if (field === "name") continue
    const fail = (reason: string) => new PluginInvalid({ file, what: `"${field}"`, reason })
    if (!listNames.some((name) => name === field)) {
      const [near] = nearest(field, listNames, 1)
      throw fail(near === undefined ? `a plugin has ${listNames.join(", ")}` : `did you mean "${near}"?`)
    }
    if (!Array.isArray(list)) throw fail("it must be a list")
  }
}

/** Where an id that is taken comes from. */
const ownerOf = (taken: string, { plugins }: ExtensionLists, title: string): string => {
  const owner = plugins.find(({ brings }) => brings.some((each) => each.toLowerCase().startsWith(title.toLowerCase())))
  return owner === undefined ? `"${taken}" of speedq` : `"${taken}" of the plugin ${owner.name}`
}

/** The new values of one list. Raises PluginInvalid. */
const checkedList = (
  known: ExtensionLists,
  list: ListName,
  values: readonly Value[],
  file: string
): readonly Value[] => {
  const kind: AnyKind = extensionKinds[list]
  const others: readonly Value[] = list === "stages" ? [...ours, ...known.stages] : known[list]
  const seen: string[] = []
  for (const [place, value] of values.entries()) {
    const what = titleOf(kind, value, place)
    const fail = (reason: string) => new PluginInvalid({ file, what, reason })
    const problems = problemsOf(kind, value)
    if (problems.length > 0) throw fail(problems.join("; "))
    const id = idOf(value)
    const taken = others.map(idOf).find((each) => isSameId(each, id))
    if (taken !== undefined)
      throw fail(`there is ${ownerOf(taken, known, what)} already; give yours another ${kind.id}`)
    if (seen.some((each) => isSameId(each, id)))
      throw fail(`it is twice in the list; give one of them another ${kind.id}`)
    seen.push(id)
  }
  return values
}

const bringsOf = (plugin: Plugin): AddedPlugin["brings"] =>
  listNames.flatMap((list) =>
    (plugin[list] ?? []).map((value: Value, place) => {
      const title = titleOf(extensionKinds[list], value, place)
      return "version" in value ? `${title} (version ${value.version})` : title
    })
  )

/** Where a plugin comes from. */
interface PluginOrigin {
  /** What messages call it; its name, or "in code", where this is absent. */
  readonly file?: string
  /** Of its files. */
  readonly digest?: string
}

/** Those without a name count as one; what brings nothing as none, unless it has a name. */
const withAdded = (plugins: readonly AddedPlugin[], plugin: Plugin, origin: PluginOrigin): readonly AddedPlugin[] => {
  const brings = bringsOf(plugin)
  const digest = origin.digest === undefined ? {} : { digest: origin.digest }
  if (plugin.name !== undefined) return [...plugins, { name: plugin.name, brings, ...digest }]
  if (brings.length === 0) return plugins
  const before = plugins.find(({ name }) => name === inCode)
  const others = plugins.filter((each) => each !== before)
  return [...others, { name: inCode, brings: [...(before?.brings ?? []), ...brings] }]
}

/**
 * `known`, with a user's own added to it. Raises PluginInvalid: a value that is not of
 * its interface, or an id that is taken.
 */
const extendedBy = (known: ExtensionLists, plugin: Plugin, origin: PluginOrigin = {}): ExtensionLists => {
  const { file = plugin.name ?? inCode } = origin
  checkFields(plugin, file)
  const more = <V extends Value>(list: ListName, values: readonly V[] = []) =>
    (checkedList(known, list, values, file) as readonly V[]).map((value, place) => {
      const kind: AnyKind = extensionKinds[list]
      return guarded(value, list, kind, titleOf(kind, value, place), file)
    })
  // Files that are made with a quantizer say what brings it.
  const own = more("quantizers", plugin.quantizers).map((quantizer) =>
    plugin.name === undefined || quantizer.plugin !== undefined ? quantizer : { ...quantizer, plugin: plugin.name }
  )
  return {
    quantizers: [...known.quantizers, ...own],
    losses: [...known.losses, ...more("losses", plugin.losses)],
    exporters: [...known.exporters, ...more("exporters", plugin.exporters)],
    benchmarks: [...known.benchmarks, ...more("benchmarks", plugin.benchmarks)],
    stages: [...known.stages, ...more("stages", plugin.stages)],
    plugins: withAdded(known.plugins, plugin, origin)
  }
}

/** Ours and a user's own together. Raises PluginInvalid. */
export const extended = (...plugins: readonly Plugin[]): ExtensionLists =>
  plugins.reduce((known, plugin) => extendedBy(known, plugin), builtIn)

/** `extendedBy` where a program runs: fails with PluginInvalid. */
export const addPlugin = (
  known: ExtensionLists,
  plugin: Plugin,
  origin?: PluginOrigin
): Effect.Effect<ExtensionLists, PluginInvalid> =>
  Effect.try({
    try: () => extendedBy(known, plugin, origin),
    catch: (error) => {
      if (error instanceof PluginInvalid) return error
      throw error
    }
  })

/**
 * What recipes may name, with a user's own added to it. Fails with PluginInvalid.
 *
 * @example Recipe.run(recipe).pipe(Effect.provide(withExtensions({ quantizers: [ternary] })))
 */
export const withExtensions = (...plugins: readonly Plugin[]): Layer.Layer<never, PluginInvalid> =>
  Layer.effect(
    Extensions,
    Effect.gen(function* () {
      let lists = yield* Extensions
      for (const plugin of plugins) lists = yield* addPlugin(lists, plugin)
      return lists
    })
  )
