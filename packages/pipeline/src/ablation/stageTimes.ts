/** How long the stages of a run took, whichever run computed them: stages that variants share are computed in one and copied. */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { eventsFileName, readRunRecord } from "../directory/RunDirectory.ts"
import { readEvents } from "../events/readEvents.ts"
import { stageHistories } from "../overview/stageHistory.ts"
import { type AnyRecipe, labelled } from "../recipe/recipeValue.ts"

/** Milliseconds that were spent on each result, by its key, as the logs of the runs in `places` tell. */
export const timesByKey = Effect.fn("timesByKey")(function* (places: readonly string[]) {
  const path = yield* Path.Path
  const times = new Map<string, number>()
  for (const place of places) {
    const { events } = yield* readEvents(path.join(place, eventsFileName))
    for (const [key, { milliseconds }] of stageHistories(events)) {
      // Of a result that two runs computed, the first counts: one is as good as the other.
      if (!times.has(key)) times.set(key, milliseconds)
    }
  }
  return times
})

/**
 * Milliseconds that the stages of the run in `place` took together, without those of the kinds that `leftOut` names; null where that
 * of one is unknown.
 */
export const timeOfRun = Effect.fn("timeOfRun")(function* (
  { stages }: AnyRecipe,
  place: string,
  times: ReadonlyMap<string, number>,
  leftOut: readonly string[]
) {
  const record = Option.getOrUndefined(yield* readRunRecord(place))
  const own = labelled(stages).filter(({ stage }) => !leftOut.includes(stage.name))
  const spent = own.map(({ place: stage }) => times.get(record?.keys[stage] ?? ""))
  return spent.reduce<number | null>((sum, time) => (sum === null || time === undefined ? null : sum + time), 0)
})
