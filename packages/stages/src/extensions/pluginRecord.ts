/** Which plugins a run was made with, as facts of its record (`Surroundings`, run.json): whoever continues it needs them. */
import type { AddedPlugin, ExtensionLists } from "./Extensions.ts"

interface Recorded {
  readonly name: string
  /** What it brought, in words. */
  readonly brought: string
}

const prefix = "plugin "
const inWords = ({ brings }: AddedPlugin): string => brings.join(", ")

/** A fact for each plugin: `plugin mine.ts` = `quantizer "ternary" (version 1)`. */
export const pluginSurroundings = ({ plugins }: ExtensionLists): { readonly [name: string]: string } =>
  Object.fromEntries(plugins.map((plugin) => [prefix + plugin.name, inWords(plugin)]))

/** What tells a set of plugins from another: each by its name and the digest of its files, or what it brings; "none" without any. */
export const pluginIdentity = ({ plugins }: ExtensionLists): string =>
  plugins.length === 0
    ? "none"
    : plugins
        .map((plugin) => `${plugin.name} (${plugin.digest ?? inWords(plugin)})`)
        .toSorted()
        .join(", ")

/** The plugins of a run by its record's surroundings. */
export const recordedPlugins = (surroundings: { readonly [name: string]: string }): readonly Recorded[] =>
  Object.entries(surroundings)
    .filter(([name]) => name.startsWith(prefix))
    .map(([name, brought]) => ({ name: name.slice(prefix.length), brought }))

/** Those of them that are not given now, under this name or another. */
export const missingPlugins = (
  surroundings: { readonly [name: string]: string },
  { plugins }: ExtensionLists
): readonly Recorded[] =>
  recordedPlugins(surroundings).filter(
    ({ name, brought }) => !plugins.some((plugin) => plugin.name === name || inWords(plugin) === brought)
  )
