/** Plugins of `--plugin FILE`: modules that export quantizers, losses, export formats, benchmarks and stages of one's own. */
import { basename } from "node:path"
import { type ExtensionLists, Extensions, extendedBy, type Plugin, PluginInvalid } from "@speedq/stages"
import * as Effect from "effect/Effect"
import { importModule, type ModuleExports } from "../modules/importModule.ts"

/** What the module exports as `plugin`, or by default. Raises PluginInvalid. */
const pluginOf = (file: string, exports: ModuleExports): Plugin => {
  const value = exports["plugin"] ?? exports["default"]
  if (typeof value === "object" && value !== null) return { ...value, name: nameOf(file, value) }
  const names = Object.keys(exports)
  const found = names.length === 0 ? "it exports nothing" : `it exports ${names.join(", ")}`
  const reason = `${found}; write export const plugin = definePlugin({ quantizers: [...] })`
  throw new PluginInvalid({ file, what: "no plugin", reason })
}

/** Its own name, else that of its file. */
const nameOf = (file: string, { name }: Plugin): string => name ?? basename(file)

const loadInto = Effect.fnUntraced(function* (known: ExtensionLists, file: string) {
  const exports = yield* importModule(file)
  return yield* Effect.try({
    try: () => extendedBy(known, pluginOf(file, exports), file),
    catch: (error) => {
      if (error instanceof PluginInvalid) return error
      throw error
    }
  })
})

/** Runs `work` with what the plugins bring. Fails with ModuleUnreadable and PluginInvalid besides. */
export const providePlugins = <A, E, R>(files: readonly string[], work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    let lists = yield* Extensions
    for (const file of files) lists = yield* loadInto(lists, file)
    return yield* Effect.provideService(work, Extensions, lists)
  })
