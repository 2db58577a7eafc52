/** Whether what a stage did goes on with data that changed since it began: none of what its steps used may be another now. */
import { isDeepStrictEqual } from "node:util"
import { type Compat, type RecipeSettings, type Stage, unlessDamaged } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { DataConfig } from "../training/TrainingConfig.ts"
import { readLedger } from "./DataLedger.ts"
import { modelDigest } from "./fingerprint.ts"
import { changedSamples, followData } from "./followData.ts"
import { areWider, keptLimits, pictureLimits } from "./pictureLimits.ts"
import { SampleTally } from "./SampleTally.ts"
import { isUsed, usedBy } from "./usedSamples.ts"

/** What a state says of the records that others took the places of. */
const Counted = Schema.Struct({ tally: SampleTally, passedOver: Schema.optionalKey(Schema.Int) })

/** Whether no step so far has met a record that it could not use: steps do the same whatever becomes of such records. */
const usedAll = ({ state }: Stage.Begun): boolean =>
  Option.exists(
    Schema.decodeUnknownOption(Counted)(state?.data),
    ({ tally, passedOver = 0 }) => tally.substituted + passedOver === 0
  )

/**
 * Says how the stage goes on; none where it begins again: the model or the meta file changed, records were added or reordered, one
 * that its steps used is gone or changed, or pictures that they used may be refused or read otherwise.
 */
export const continueWithData = (
  data: DataConfig,
  compat: typeof Compat.Type,
  recipe: RecipeSettings,
  begun: Stage.Begun
) =>
  Effect.gen(function* () {
    const ledger = Option.getOrUndefined(yield* readLedger(begun.directory))
    if (ledger === undefined || ledger.model !== (yield* modelDigest(recipe))) return Option.none<Stage.Continued>()
    const [before, now] = [ledger.limits ?? keptLimits({}), keptLimits(pictureLimits(data.images, compat))]
    const isWider = !isDeepStrictEqual(before, now)
    if (isWider && !(areWider(now, before) && usedAll(begun))) return Option.none<Stage.Continued>()
    const parts = Option.getOrUndefined(yield* followData(ledger, data, recipe))
    if (parts === undefined) return Option.none<Stage.Continued>()
    const changed = yield* changedSamples(ledger, parts)
    const used = yield* usedBy(begun)
    if (changed.some((sample) => isUsed(used, sample))) return Option.none<Stage.Continued>()
    if (isWider && changed.length === 0) {
      const detail = "pictures that were refused are read now; its finished steps had met none: it goes on"
      return Option.some<Stage.Continued>({ detail })
    }
    const what = `${changed.length} of the samples that it began with are gone or changed`
    const detail =
      begun.state === undefined
        ? `${what}, none of which it had used: its result stands`
        : `${what}, none of which its finished steps had used: it goes on, and others take the places of those that are gone`
    return Option.some<Stage.Continued>({ detail })
  }).pipe(unlessDamaged, Effect.map(Option.flatten))
