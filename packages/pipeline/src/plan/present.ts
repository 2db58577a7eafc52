/** What a run directory has of a recipe's stages: results that stand, and what will be made again because its key is another now. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { type KeyParts, keyChanges, standsFor } from "../checkpoints/StageKey.ts"
import { readManifest, type StageManifest, stagesBelow } from "../checkpoints/StageManifest.ts"
import { stagesName, supersededName } from "../directory/RunDirectory.ts"
import { type AnyRecipe, labelled } from "../recipe/recipeValue.ts"
import { keyOf } from "../run/stageKeys.ts"

/** What is there of one stage. */
export interface Present {
  /** Whether there is a result that a run takes as it is. */
  readonly finished: boolean
  /** Why what is there is made again, such as `seed: 42 -> 5`; undefined where it stands, or nothing is there. */
  readonly stale: string | undefined
  /** Bytes of the files that stand. */
  readonly bytes: number
}

export const nothing: Present = { finished: false, stale: undefined, bytes: 0 }

interface Found {
  readonly directory: string
  readonly manifest: StageManifest
}

/** What the run has of any stage, by the directory's path: in its place, and what an earlier recipe left behind. */
const foundIn = Effect.fnUntraced(function* (run: string) {
  const path = yield* Path.Path
  const all: Array<Found> = []
  for (const parent of [path.join(run, stagesName), path.join(run, supersededName)]) {
    for (const directory of yield* Effect.orElseSucceed(stagesBelow(parent), () => [])) {
      const found = Option.getOrUndefined(yield* readManifest(directory))
      if (found !== undefined) all.push({ directory, manifest: found.manifest })
    }
  }
  return all
})

/** What a run of `recipe` in `run` finds there of each stage, by its place. Keys are made only where there is anything. */
export const presentIn = Effect.fn("presentIn")(function* <E, R>(recipe: AnyRecipe<E, R>, run: string) {
  const path = yield* Path.Path
  const all = yield* foundIn(run)
  const given = new Map<string, string>()
  const present = new Map<string, Present>()
  for (const { stage, label, place } of all.length === 0 ? [] : labelled(recipe.stages)) {
    const here = all.find(({ directory }) => directory === path.join(run, stagesName, place))
    // A stage that cannot look at its data has no key; its forecast says what is wrong.
    const key = Option.getOrUndefined(yield* Effect.option(keyOf(recipe, { stage, label }, given)))
    if (key === undefined) continue
    const isOurs = ({ manifest }: Found) => manifest.key === key.id
    const ours = here !== undefined && standsFor(here.manifest.parts, key.parts) ? here : all.find(isOurs)
    const own = ours === undefined ? stale(here, key.parts) : yield* standing(ours)
    present.set(place, own)
    for (const { name } of stage.gives) given.set(name, ours?.manifest.key ?? key.id)
  }
  return present
})

const standing = Effect.fnUntraced(function* ({ directory, manifest }: Found) {
  const result: Present = {
    finished: manifest.finished !== null,
    stale: undefined,
    bytes: yield* bytesIn(directory)
  }
  return result
})

const stale = (here: Found | undefined, wanted: KeyParts): Present => {
  if (here === undefined) return nothing
  const changes = keyChanges(here.manifest.parts, wanted)
  const own = changes.filter(({ field }) => !field.startsWith("inputs."))
  const told = own.slice(0, 3).map(({ field, before, after }) => `${field}: ${before} -> ${after}`)
  const more = own.length > told.length ? ", ..." : ""
  return { ...nothing, stale: own.length === 0 ? "a stage before it runs again" : `${told.join(", ")}${more}` }
}

const bytesIn = Effect.fnUntraced(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  return yield* fs.readDirectory(directory).pipe(
    Effect.flatMap((names) => Effect.forEach(names, (name) => fs.stat(path.join(directory, name)))),
    Effect.map((infos) => infos.reduce((sum, { size }) => sum + Number(size), 0)),
    Effect.orElseSucceed(() => 0)
  )
})
