/** The runs of an ablation, found by where they are: `VARIANT/seed-N` below its directory. */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { status } from "../overview/status.ts"

/** How far each run is, in the order of their names; none where there is no ablation. Reads only. */
export const runsBelow = Effect.fn("runsBelow")(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const namesIn = (place: string) => Effect.orElseSucceed(fs.readDirectory(place), (): readonly string[] => [])
  const seedsOf = (variant: string) =>
    Effect.map(namesIn(path.join(directory, variant)), (names) =>
      names
        .filter((name) => /^seed-\d+$/.test(name))
        .toSorted((a, b) => Number(a.slice(5)) - Number(b.slice(5)))
        .map((name) => path.join(directory, variant, name))
    )
  const places = yield* Effect.forEach((yield* namesIn(directory)).toSorted(), seedsOf)
  return (yield* Effect.forEach(places.flat(), status)).flatMap(Option.toArray)
})
