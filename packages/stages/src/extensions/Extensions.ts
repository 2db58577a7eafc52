/**
 * What a run may name in its recipe: quantizers, losses, export formats, benchmarks, stages, by their ids. Ours are in it; a user's own
 * are added to them: in code by `withExtensions`, on the command line by `--plugin FILE`.
 */
import { type Loss, losses } from "@speedq/distillation"
import { type Benchmark, benchmarks } from "@speedq/evaluation"
import { type Exporter, exporters } from "@speedq/exports"
import type { Events, RunDirectory, Stage } from "@speedq/pipeline"
import { type Quantizer, quantizers } from "@speedq/quantizers"
import * as Context from "effect/Context"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import type * as Scope from "effect/Scope"
import type { Compute } from "../compute/Compute.ts"
import type { SampleWorkers } from "../data/SampleWorkers.ts"

/** What every run has for its stages. */
export type StageServices =
  | Compute
  | SampleWorkers
  | RunDirectory
  | Events
  | FileSystem.FileSystem
  | Path.Path
  | Scope.Scope

/** A kind of stage of one's own, made by `Stage.define`. */
export type OwnStage = Stage.Registered<Error, StageServices>

/** A plugin that was added, and what it brings, each as `quantizer "ternary" (version 1)`. */
export interface AddedPlugin {
  readonly name: string
  readonly brings: readonly string[]
  /** Of its files, where it comes from files. */
  readonly digest?: string
}

export interface ExtensionLists {
  readonly quantizers: readonly Quantizer[]
  readonly losses: readonly Loss[]
  readonly exporters: readonly Exporter[]
  readonly benchmarks: readonly Benchmark[]
  /** A user's own, for recipes in JSON; ours are in registry/stages.ts, since they read this service themselves. */
  readonly stages: readonly OwnStage[]
  readonly plugins: readonly AddedPlugin[]
}

/** Everything that this build brings. */
export const builtIn: ExtensionLists = { quantizers, losses, exporters, benchmarks, stages: [], plugins: [] }

export const Extensions = Context.Reference<ExtensionLists>("@speedq/stages/Extensions", {
  defaultValue: () => builtIn
})
