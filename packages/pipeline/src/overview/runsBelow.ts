/** The runs below a directory: those of a folder of runs, and of an ablation, `VARIANT/seed-N`. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { runFileName } from "../directory/RunDirectory.ts"
import { status } from "./status.ts"

/** Runs are this deep at most: a folder of ablations has them at 3. */
const deepest = 3

const byName = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true })

/** How far each run is, in the order of their names; none where there is no run. Reads only. What is in a run is not looked at. */
export const runsBelow = Effect.fn("runsBelow")(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const find = (place: string, depth: number): Effect.Effect<ReadonlyArray<string>> =>
    Effect.gen(function* () {
      const names = yield* Effect.orElseSucceed(fs.readDirectory(place), (): readonly string[] => [])
      if (depth > 0 && names.includes(runFileName)) return [place]
      if (depth === deepest) return []
      const below = names.filter((name) => !name.startsWith(".")).toSorted(byName)
      return (yield* Effect.forEach(below, (name) => find(path.join(place, name), depth + 1))).flat()
    })
  return (yield* Effect.forEach(yield* find(directory, 0), status)).flatMap(Option.toArray)
})
