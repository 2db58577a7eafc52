/** What processes that share the shards of a step hand to each other: parameters, and sums over micro-batches, in files. */
import { releaseParameters } from "@speedq/exports"
import { Codec, type FileRecord, openSaved, verifyFile, writeSaved } from "@speedq/pipeline"
import type { Backend, Parameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { loadTensors, tensorSources } from "../artefacts/tensorCodec.ts"
import { MicroBatchFacts } from "../data/microBatchFacts.ts"
import { allOrNone, owned } from "../model/stageMemory.ts"
import type { Accumulated } from "./Learner.ts"

/** Sums over the micro-batches of one shard. Whoever gets them releases them. */
export interface ShardSums {
  readonly sums: Accumulated
  readonly batches: readonly MicroBatchFacts[]
}

/** A file with the digest that it must have. */
export interface ExchangedFile {
  readonly path: string
  readonly record: FileRecord
}

/** A file's value, once its bytes are what was written. Fails with SavedFileDamaged and StorageFailed. */
const read = Effect.fnUntraced(function* <A, E, R>(codec: Codec.Codec<A, E, R>, { path, record }: ExchangedFile) {
  yield* verifyFile(path, record)
  return yield* Effect.scoped(Effect.flatMap(openSaved(path), codec.load))
})

const parametersCodec = (backend: Backend) =>
  Codec.make({
    data: Schema.Struct({}),
    save: (parameters: Parameters) => ({ data: {}, tensors: tensorSources("parameter", parameters) }),
    load: (_, file) => loadTensors(backend, file, "parameter", "state")
  })

const sumsCodec = (backend: Backend) =>
  Codec.make({
    // Names of the loss's parts, in the order in which they are told.
    data: Schema.Struct({ parts: Schema.Array(Schema.String), batches: Schema.Array(MicroBatchFacts) }),
    save: ({ sums: { gradients, loss, parts }, batches }: ShardSums) => ({
      data: { parts: Object.keys(parts), batches },
      tensors: [
        ...tensorSources("gradient", gradients),
        ...tensorSources("loss", { loss }),
        ...tensorSources("part", parts)
      ]
    }),
    load: ({ parts: names, batches }, file) =>
      Effect.gen(function* () {
        const load = (prefix: string) => owned(loadTensors(backend, file, prefix, "state"), releaseParameters)
        const [gradients, whole, parts] = [yield* load("gradient"), yield* load("loss"), yield* load("part")]
        const inOrder = Object.fromEntries(names.map((name) => [name, parts[name]!]))
        return { sums: { gradients, loss: whole.loss!, parts: inOrder }, batches } satisfies ShardSums
      }).pipe(allOrNone)
  })

const backendOf = (parameters: Parameters): Backend => Object.values(parameters)[0]!.backend

export const saveParameters = (path: string, parameters: Parameters) =>
  writeSaved(path, parametersCodec(backendOf(parameters)).save(parameters))

/** New tensors, which are the caller's. */
export const loadParameters = (backend: Backend, file: ExchangedFile) => read(parametersCodec(backend), file)

export const saveSums = (path: string, sums: ShardSums) =>
  writeSaved(path, sumsCodec(sums.sums.loss.backend).save(sums))

/** New tensors, which are the caller's, beside parameters of the same backend. */
export const loadSums = (parameters: Parameters, file: ExchangedFile) => read(sumsCodec(backendOf(parameters)), file)
