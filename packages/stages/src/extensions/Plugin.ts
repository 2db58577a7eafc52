/** What a user adds: a value in code, or what a file of `--plugin` exports. */
import type { ExtensionLists } from "./Extensions.ts"

export interface Plugin extends Partial<Omit<ExtensionLists, "plugins">> {
  /** What files that are made with it call it; of a file of `--plugin`, the file's name without this. */
  readonly name?: string
}

/** What the record of a run calls a plugin that has no name: a value that a program adds. */
export const inCode = "in code"

/**
 * A plugin with its type checked where it is written.
 *
 * @example export const plugin = definePlugin({ quantizers: [ternary] })
 */
export const definePlugin = (plugin: Plugin): Plugin => plugin
