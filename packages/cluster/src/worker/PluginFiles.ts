/** Plugins of a runner: files, and what loads them. */
import type * as Effect from "effect/Effect"

export interface PluginFiles {
  readonly files: readonly string[]
  /** URL of a module that exports a PluginLoader: reading modules of persons is not this package's. */
  readonly loader: string
}

export interface PluginLoader {
  /** Runs `work` with what the files bring (`Extensions` of @speedq/stages). */
  readonly providePlugins: <A, E, R>(
    files: readonly string[],
    work: Effect.Effect<A, E, R>
  ) => Effect.Effect<A, E | Error, R>
}
