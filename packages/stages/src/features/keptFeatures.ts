/** The features of a stage's frozen towers, as its recipe wants them kept: rounded or not, on disk or not, and what came of it. */
import { Events, emit, eventKind, formatBytes, formatDuration, type RecipeSettings, RunEvents } from "@speedq/pipeline"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { type FeatureStore, openFeatureStore } from "./FeatureStore.ts"
import type { FeatureNumbers } from "./featureRecord.ts"
import { towerDigest } from "./towerDigest.ts"

/** What a stage saw through its frozen towers since it began or was continued. Student and teacher count apart. */
export const FeaturesSeen = eventKind(
  "FeaturesSeen",
  {
    directory: Schema.String,
    /** Tiles whose features were found on disk, those that were remembered since, and those that passed a tower. */
    found: Schema.Int,
    remembered: Schema.Int,
    computed: Schema.Int,
    /** Of the towers' work, and of reading and writing. */
    towerMilliseconds: Schema.Number,
    diskMilliseconds: Schema.Number,
    /** Records that could not be trusted. */
    damaged: Schema.Int,
    writtenBytes: Schema.Int
  },
  {
    line: (seen) => {
      const { directory, found, remembered, computed, towerMilliseconds, diskMilliseconds, damaged, writtenBytes } =
        seen
      const bad = damaged === 0 ? "" : `; ${damaged} damaged records were passed over`
      return `tiles seen by frozen towers: ${found} found in ${directory}, ${remembered} remembered, ${computed} computed in ${formatDuration(towerMilliseconds)}; ${formatBytes(writtenBytes)} written, ${formatDuration(diskMilliseconds)} at the disk${bad}`
    }
  }
)

/** Counted while a stage runs; milliseconds where it says so. */
export interface SeenTally {
  found: number
  remembered: number
  computed: number
  towerMilliseconds: number
  diskMilliseconds: number
}

/** Nothing seen yet. */
export const uncounted = (): SeenTally => ({
  found: 0,
  remembered: 0,
  computed: 0,
  towerMilliseconds: 0,
  diskMilliseconds: 0
})

/** How the features of one tower are kept. */
export interface Keeping {
  readonly numbers: FeatureNumbers
  /** Where they are on disk: under the tower's digest, which is computed when it is first asked for. */
  readonly place?: { readonly store: FeatureStore; readonly tower: () => Promise<string> }
  readonly tally?: SeenTally
}

/** Features as the tower gives them, in memory alone. */
export const notKept: Keeping = { numbers: "f32" }

/** How the features of a stage's towers are kept. */
export interface KeptFeatures {
  readonly numbers: FeatureNumbers
  readonly store: FeatureStore | undefined
  readonly tally: SeenTally
}

export const numbersOf = ({ features }: Pick<RecipeSettings, "features">): FeatureNumbers => features?.numbers ?? "f32"

/** What a recipe's features change in the key of a stage: those in f32 leave it as it is. */
export const featureVersions = (recipe: Pick<RecipeSettings, "features">): { readonly [name: string]: string } =>
  numbersOf(recipe) === "f32" ? {} : { "features of frozen towers": numbersOf(recipe) }

/** Opens what the recipe says. A directory that cannot be used is told, and the stage goes on without it. */
export const openKeptFeatures = Effect.fn("openKeptFeatures")(function* (recipe: Pick<RecipeSettings, "features">) {
  const events = yield* Events
  const context = yield* Effect.context<never>()
  const tell = ({ message }: Error) => Effect.provideContext(events.emit(RunEvents.Warning, { message }), context)
  const numbers = numbersOf(recipe)
  const { directory, limit } = recipe.features ?? {}
  const opened =
    directory === undefined ? undefined : openFeatureStore({ directory, limit: Number(limit), numbers, tell })
  const store = opened && (yield* Effect.catch(opened, (refusal) => Effect.as(tell(refusal), undefined)))
  const kept: KeptFeatures = { numbers, store, tally: uncounted() }
  return kept
})

/** How the features of one of its towers are kept. */
export const keepingOf = (
  { numbers, store, tally }: KeptFeatures,
  tower: Omit<Parameters<typeof towerDigest>[0], "numbers">
): Keeping => {
  if (store === undefined) return { numbers }
  let digest: Promise<string> | undefined
  const digestOnce = () => {
    digest ??= towerDigest({ ...tower, numbers })
    return digest
  }
  return { numbers, place: { store, tower: digestOnce }, tally }
}

/** Whether two towers are equal by their digests; unknown, and so false, where there is no store. */
export const isOneTower = async (one: Keeping, other: Keeping): Promise<boolean> =>
  one.place !== undefined && other.place !== undefined && (await one.place.tower()) === (await other.place.tower())

/** Tells what came of it, where there is a store. */
export const tellSeen = Effect.fnUntraced(function* ({ store, tally }: KeptFeatures) {
  if (store === undefined) return
  const { damaged, written } = store.counts()
  yield* emit(FeaturesSeen, { directory: store.directory, ...tally, damaged, writtenBytes: written })
})
