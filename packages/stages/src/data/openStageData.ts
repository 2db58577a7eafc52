/** Opens the samples of a stage: those that it began with, as they are found in the files now. */
import { isDeepStrictEqual } from "node:util"
import type { RecipeSettings } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { DataUnusable } from "../Errors.ts"
import type { DataConfig, OptimizationConfig } from "../training/TrainingConfig.ts"
import { openLedger, writeLedger } from "./DataLedger.ts"
import { followData, presentLedger } from "./followData.ts"
import { openSampleSource } from "./SampleSource.ts"

interface StageData {
  readonly recipe: RecipeSettings
  /** Of the stage. */
  readonly seed: number
  readonly directory: string
  readonly data: DataConfig
  readonly optimization: OptimizationConfig
}

/** For the life of the scope. Fails with DataUnusable, SampleWorkerFailed, SavedFileDamaged, StorageFailed. */
export const openStageData = Effect.fn("openStageData")(function* ({
  recipe,
  seed,
  directory,
  data,
  optimization
}: StageData) {
  const ledger = yield* openLedger(directory, data, recipe)
  const began = Option.getOrUndefined(yield* followData(ledger, data, recipe))
  if (began === undefined) {
    const reason = `${data.meta} changed while the stage began; run again`
    return yield* new DataUnusable({ reason })
  }
  // Whoever claimed the stage made sure that its steps used nothing that changed: from here on what is there now is what counts.
  const present = yield* presentLedger(ledger, began)
  if (!isDeepStrictEqual(present, ledger)) yield* writeLedger(directory, present)
  return yield* openSampleSource({
    ...{ model: recipe.model, data, optimization, began },
    seed: { selection: recipe.seed, order: seed }
  })
})
