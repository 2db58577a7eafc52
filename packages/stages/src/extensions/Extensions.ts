/**
 * What a run may name in its recipe: quantizers, export formats, benchmarks, by their ids. Ours are in it; a user's own are added to
 * them, in code by `withExtensions`, on the command line by `--plugin FILE`.
 */
import { type Benchmark, benchmarks } from "@speedq/evaluation"
import { type Exporter, exporters } from "@speedq/exports"
import { type Quantizer, quantizers } from "@speedq/quantizers"
import * as Context from "effect/Context"

export interface ExtensionLists {
  readonly quantizers: readonly Quantizer[]
  readonly exporters: readonly Exporter[]
  readonly benchmarks: readonly Benchmark[]
}

/** Everything that this build brings. */
export const builtIn: ExtensionLists = { quantizers, exporters, benchmarks }

export const Extensions = Context.Reference<ExtensionLists>("@speedq/stages/Extensions", {
  defaultValue: () => builtIn
})
