/** Records of images and text that calibrate, as training sees them. */
import { type Compat, emit, RunEvents, type Stage } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { openStageData } from "../data/openStageData.ts"
import type { MicroBatch } from "../data/SampleLoader.ts"
import { counted, emptyTally, substitutions } from "../data/SampleTally.ts"
import { noneUsed, withUsed } from "../data/usedSamples.ts"
import { type DataConfig, OptimizationConfig } from "../training/TrainingConfig.ts"
import type { Seen } from "./seen.ts"

export interface RecordOptions {
  readonly data: DataConfig
  /** How many records are looked at. */
  readonly documents: number
  readonly compat: typeof Compat.Type
  readonly stage: Pick<Stage.StageContext, "recipe" | "seed" | "directory">
  /** Whether records that cannot be used are told as events; not where they were before. Default true. */
  readonly tells?: boolean
}

/**
 * Calls `visit` with each of the first records of a mixture in the stage's order, one by one, the same every time. Fails with
 * DataUnusable, SampleWorkerFailed, SavedFileDamaged and StorageFailed.
 */
export const eachRecord = <E, R>(
  { data, documents, compat, stage, tells = true }: RecordOptions,
  visit: (record: MicroBatch, index: number) => Effect.Effect<void, E, R>
) =>
  Effect.scoped(
    Effect.gen(function* () {
      const each = { compat, batch: 1, accumulation: 1, maxSteps: documents, groupByLength: false }
      const optimization = Schema.decodeUnknownSync(OptimizationConfig)(each)
      const source = yield* openStageData({ ...stage, data, optimization })
      let [tally, used] = [emptyTally, noneUsed(source.count)]
      for (let index = 0; index < source.steps; index++) {
        const record = yield* source.take(index)
        tally = counted(tally, record, source.describe)
        used = withUsed(used, record.made)
        if (tells) {
          for (const event of substitutions(record, data.meta, source.describe))
            yield* emit(RunEvents.DataSubstituted, event)
        }
        yield* visit(record, index)
      }
      return { tally, used } satisfies Seen
    })
  )
