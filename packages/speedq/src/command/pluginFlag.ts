/** `--plugin FILE`, of every command that reads recipes or models. A recipe in JSON cannot ask for one: a data file runs no code. */
import * as Flag from "effect/cli/Flag"
import * as Effect from "effect/Effect"
import { repeated } from "./flagDefaults.ts"
import { pathFlag } from "./pathParam.ts"

export const plugins = pathFlag("plugin", "FILE", "file").pipe(
  Flag.withDescription("module with your own quantizers, losses, formats, benchmarks or stages; may be repeated"),
  repeated
)

/** Runs a command's work with what its plugins bring. */
export const withPlugins = <A, E, R>(
  work: Effect.Effect<A, E, R>,
  { plugins }: { readonly plugins: readonly string[] }
) =>
  Effect.gen(function* () {
    // Without any, what a command does not need is not loaded.
    if (plugins.length === 0) return yield* work
    const { providePlugins } = yield* Effect.promise(() => import("../plugins/loadPlugins.ts"))
    return yield* providePlugins(plugins, work)
  })
