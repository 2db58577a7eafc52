/** Plugins of `--plugin FILE`: modules that export quantizers, losses, export formats, benchmarks and stages of one's own. */
import { basename } from "node:path"
import { addPlugin, type ExtensionLists, Extensions, type Plugin, PluginInvalid } from "@speedq/stages"
import * as Effect from "effect/Effect"
import { importModule, type ModuleExports, whatIsExported } from "../modules/importModule.ts"
import { moduleDigest } from "../modules/moduleDigest.ts"

/** For processes that load plugins as this one does: they import it, and call `providePlugins`. */
export const pluginLoader = import.meta.url

/** What the module exports as `plugin`, or by default. */
const pluginOf = (file: string, exports: ModuleExports): Effect.Effect<Plugin, PluginInvalid> => {
  const value = exports["plugin"] ?? exports["default"]
  if (typeof value === "object" && value !== null) return Effect.succeed({ ...value, name: nameOf(file, value) })
  const reason = `${whatIsExported(exports)}; write export const plugin = definePlugin({ quantizers: [...] })`
  return Effect.fail(new PluginInvalid({ file, what: "no plugin", reason }))
}

/** Its own name, else that of its file. */
const nameOf = (file: string, { name }: Plugin): string => name ?? basename(file)

const loadInto = Effect.fnUntraced(function* (known: ExtensionLists, file: string) {
  const plugin = yield* pluginOf(file, yield* importModule(file))
  return yield* addPlugin(known, plugin, { file, digest: moduleDigest(file) })
})

/** Runs `work` with what the plugins bring. Fails with ModuleUnreadable and PluginInvalid besides. */
export const providePlugins = <A, E, R>(files: readonly string[], work: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    let lists = yield* Extensions
    for (const file of files) lists = yield* loadInto(lists, file)
    return yield* Effect.provideService(work, Extensions, lists)
  })
