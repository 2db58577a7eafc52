/** Whether what a stage did goes on with data that changed since it began: none of what its steps used may be another now. */
import { type RecipeSettings, type Stage, unlessDamaged } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { DataConfig } from "../training/TrainingConfig.ts"
import { readLedger } from "./DataLedger.ts"
import { modelDigest } from "./fingerprint.ts"
import { changedSamples, followData } from "./followData.ts"
import { isUsed, usedBy } from "./usedSamples.ts"

/**
 * Says how the stage goes on; none where it begins again: the model or the meta file changed, records were added or reordered, or one
 * that its steps used is gone or changed.
 */
export const continueWithData = (data: DataConfig, recipe: RecipeSettings, begun: Stage.Begun) =>
  Effect.gen(function* () {
    const ledger = Option.getOrUndefined(yield* readLedger(begun.directory))
    if (ledger === undefined || ledger.model !== (yield* modelDigest(recipe))) return Option.none<string>()
    const parts = Option.getOrUndefined(yield* followData(ledger, data, recipe))
    if (parts === undefined) return Option.none<string>()
    const changed = yield* changedSamples(ledger, parts)
    const used = yield* usedBy(begun)
    if (changed.some((sample) => isUsed(used, sample))) return Option.none<string>()
    const what = `${changed.length} of the samples that it began with are gone or changed`
    return Option.some(
      begun.state === undefined
        ? `${what}, none of which it had used: its result stands`
        : `${what}, none of which its finished steps had used: it goes on, and others take the places of those that are gone`
    )
  }).pipe(unlessDamaged, Effect.map(Option.flatten))
