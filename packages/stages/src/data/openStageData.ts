/** Opens the samples of a stage: those that it began with, as they are found in the files now. */
import { createHash } from "node:crypto"
import { join } from "node:path"
import { isDeepStrictEqual } from "node:util"
import type { Compat, RecipeSettings, StorageFailed } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { DataUnusable } from "../Errors.ts"
import type { DataConfig, OptimizationConfig } from "../training/TrainingConfig.ts"
import { type DataLedger, ledgerDigest, openLedger, writeLedger } from "./DataLedger.ts"
import { modelDigest } from "./fingerprint.ts"
import { followData, presentLedger } from "./followData.ts"
import type { KeptLengths } from "./keptLengths.ts"
import { readMixture } from "./mixture.ts"
import { keptLimits, pictureLimits } from "./pictureLimits.ts"
import { makingOf, openSampleSource } from "./SampleSource.ts"

interface StageData {
  readonly recipe: RecipeSettings
  /** Of the stage. */
  readonly seed: number
  readonly directory: string
  readonly data: DataConfig
  readonly optimization: OptimizationConfig
}

export const lengthsName = "lengths.bin"

/**
 * Where lengths of the stage's samples are kept: nowhere, if an annotation file is not the one that it began with. Pictures are as
 * `ledger` says, which is of now. How a record that cannot be used is dealt with changes no length.
 */
const placeOfLengths = Effect.fnUntraced(function* (
  ledger: DataLedger,
  { recipe, directory, data, optimization }: StageData
): Effect.fn.Return<KeptLengths | undefined, DataUnusable | StorageFailed> {
  const mixture = yield* readMixture({ data, seed: recipe.seed })
  if (ledger.parts.some(({ annotation }, at) => mixture.parts[at]?.annotation !== annotation)) return undefined
  // Lengths are estimated whatever pictures are refused.
  const { quirks, pictures: _, ...making } = makingOf(data, optimization.compat)
  const { substitutions: __, ...reading } = quirks
  const { limits: ___, ...files } = ledger
  const made = [ledgerDigest(files), yield* modelDigest(recipe), recipe.seed, data.percent, making, reading]
  const of = createHash("sha256").update(JSON.stringify(made)).digest("hex")
  return { file: join(directory, lengthsName), of }
})

interface Beginning extends Pick<StageData, "recipe" | "directory" | "data"> {
  readonly compat: typeof Compat.Type
}

/** What the stage's data was when it began, found in the files as they are now. */
const findBeginning = Effect.fnUntraced(function* ({ recipe, directory, data, compat }: Beginning) {
  const limits = pictureLimits(data.images, compat)
  const { ledger, isNew } = yield* openLedger(directory, data, limits, recipe)
  const began = Option.getOrUndefined(yield* followData(ledger, data, recipe))
  if (began === undefined) {
    const reason = `${data.meta} changed while the stage began; run again`
    return yield* new DataUnusable({ reason })
  }
  return { limits, ledger, isNew, began }
})

/** How many samples the stage's mixture has: as many as when it began. Fails with DataUnusable, SavedFileDamaged, StorageFailed. */
export const countSamples = (stage: Beginning) =>
  Effect.map(findBeginning(stage), ({ began }) => began.reduce((sum, { selected }) => sum + selected.length, 0))

/** For the life of the scope. Fails with DataUnusable, SampleWorkerFailed, SavedFileDamaged, StorageFailed. */
export const openStageData = Effect.fn("openStageData")(function* (stage: StageData) {
  const { recipe, seed, directory, data, optimization } = stage
  const { limits, ledger, isNew, began } = yield* findBeginning({ ...stage, compat: optimization.compat })
  // Whoever claimed the stage made sure that its steps used nothing that changed: from here on what is there now is what counts.
  const present = isNew ? ledger : { ...(yield* presentLedger(ledger, began)), limits: keptLimits(limits) }
  if (!isDeepStrictEqual(present, ledger)) yield* writeLedger(directory, present)
  return yield* openSampleSource({
    ...{ model: recipe.model, data, optimization, began },
    keptLengths: optimization.groupByLength ? yield* placeOfLengths(present, stage) : undefined,
    seed: { selection: recipe.seed, order: seed }
  })
})
