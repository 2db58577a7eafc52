/** Shards of a step as units of work that other processes compute. Parameters and sums are in files. */
import { type ComputeUnit, FileRecord, numbered, UnitComputers, type UnitFiles, unitKind } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import type * as FileSystem from "effect/FileSystem"
import type * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { loadSums, type ShardSums, saveParameters } from "./shardFiles.ts"
import type { ComputeShard, ShardedStep } from "./shards.ts"
import type { OptimizationConfig } from "./TrainingConfig.ts"

const ShardInput = Schema.Struct({
  parameters: FileRecord,
  /** Micro-batches of the shard. */
  indices: Schema.Array(Schema.Int),
  /** Micro-batches of the whole step. */
  microBatches: Schema.Int,
  /** What was measured before training. */
  measured: Schema.Array(Schema.Number)
})

/** A shard of a step: from parameters to sums of gradients. */
export const shardUnit = unitKind("shard", { input: ShardInput, output: Schema.Struct({ sums: FileRecord }) })

/** A step whose shards others compute. */
interface ElsewhereStep {
  /** What a shard came to, by its number; undefined where it is to be computed here. */
  readonly sumsOf: (shard: number) => Effect.Effect<ShardSums | undefined>
  /** Gives up what is still on its way. */
  readonly end: Effect.Effect<void>
}

/** Hands out the shards of a step of the stage in `directory`; undefined while nobody computes for this process. */
export const beginElsewhere = Effect.fnUntraced(function* (
  directory: string,
  {
    step,
    format,
    parameters,
    measured,
    microBatches,
    shards,
    backends
  }: ShardedStep & {
    readonly step: number
    readonly shards: readonly (readonly number[])[]
    readonly backends: OptimizationConfig["shardBackends"]
  }
) {
  const computers = yield* UnitComputers
  if (computers === undefined) return undefined
  const title = `step ${step + 1}`
  const batch = yield* computers.begin({
    ...{ stage: directory, name: numbered("step", step), title },
    bits: backends === "any" ? "allowed" : "same"
  })
  if (batch === undefined) return undefined
  if ((yield* batch.runners) === 0) return yield* Effect.as(batch.end, undefined)
  const file = yield* Effect.option(
    batch.files.write("parameters", (path) => saveParameters(path, { parameters, format }))
  )
  if (file._tag === "None") return yield* Effect.as(batch.end, undefined)
  const services = yield* Effect.context<FileSystem.FileSystem | Path.Path>()
  const sumsIn = ({ sums }: { readonly sums: FileRecord }) =>
    Effect.flatMap(batch.files.pathOf(sums), (path) => loadSums(parameters, path)).pipe(Effect.provideContext(services))
  const asked = yield* Effect.forEach(shards, (indices, shard) =>
    batch.ask(
      shardUnit,
      {
        name: numbered("shard", shard, 4),
        title: `shard ${shard + 1} of ${title}`,
        input: { parameters: file.value, indices, microBatches, measured }
      },
      sumsIn
    )
  )
  const begun: ElsewhereStep = { sumsOf: (shard) => asked[shard]!, end: batch.end }
  return begun
})

/** Computes a shard for another process. */
export const computesUnit =
  (computeShard: ComputeShard): ComputeUnit<typeof ShardInput.Type, { readonly sums: FileRecord }> =>
  ({ parameters, ...order }, files: UnitFiles) =>
    Effect.gen(function* () {
      const given = { path: files.pathOf(parameters), record: parameters }
      const sums = yield* files.write("sums", (path) => computeShard({ ...order, parameters: given, sums: path }))
      return { sums }
    })
