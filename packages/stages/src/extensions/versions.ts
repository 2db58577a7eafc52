/** Versions of what a stage computes with besides its own code, for its key: quantizers, losses, formats, benchmarks, kernels. */
import { findBenchmark } from "@speedq/evaluation"
import type { Stage } from "@speedq/pipeline"
import { kernelSetVersion } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { Extensions } from "./Extensions.ts"

/** What a configuration names; an option that names nothing is null. */
interface Used {
  readonly quantizers?: readonly ({ readonly use: string } | null)[]
  readonly losses?: readonly string[]
  readonly exporters?: readonly string[]
  readonly benchmarks?: readonly string[]
}

/** What is not known has no version: the forecast names it as an obstacle before any key is made. */
const unknown = "unknown"

const list = <A extends { readonly version: number }>(
  kind: string,
  ids: readonly string[],
  find: (id: string) => A | undefined
) => ids.map((id) => [`${kind} ${id}`, find(id)?.version ?? unknown] as const)

export const versionsOf = ({
  quantizers = [],
  losses = [],
  exporters = [],
  benchmarks = []
}: Used): Effect.Effect<Stage.Versions> =>
  Effect.map(Extensions, (known) => {
    const choices = quantizers.flatMap((choice) => (choice === null ? [] : [choice.use]))
    return Object.fromEntries([
      ["kernels", kernelSetVersion],
      ...list("quantizer", choices, (use) => known.quantizers.find(({ id }) => id === use)),
      ...list("loss", losses, (use) => known.losses.find(({ id }) => id === use)),
      ...list("exporter", exporters, (format) => known.exporters.find(({ id }) => id === format)),
      ...list("benchmark", benchmarks, (name) => findBenchmark(name, known.benchmarks))
    ])
  })
