/**
 * What of a directory belongs to a run: its record, its log, its report, the directories of its stages, and what their manifests
 * name. Everything else is somebody else's, whatever it is called, and is neither overwritten nor removed.
 */
import { removeEmpty } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { readManifest, stagesBelow } from "../checkpoints/StageManifest.ts"
import { isLeftover } from "../files/leftovers.ts"
import { whileDoing } from "../files/storage.ts"
import { isPlace } from "../recipe/stageLabels.ts"

/** What is below `parent`, each with its manifest if it has one. */
export const placesIn = Effect.fnUntraced(function* (parent: string) {
  return yield* Effect.forEach(yield* stagesBelow(parent), (place) =>
    Effect.map(readManifest(place), (found) => ({ place, manifest: Option.map(found, ({ manifest }) => manifest) }))
  )
})

/** What else is below `parent`: nothing that a run made. */
export const othersIn = Effect.fnUntraced(function* (parent: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const names = yield* Effect.orElseSucceed(fs.readDirectory(parent), (): string[] => [])
  return names
    .filter((name) => !isPlace(name) && !isLeftover(name))
    .sort()
    .map((name) => path.join(parent, name))
})

/** Whether stages of a run are in some directories, or something else is; a directory that was made and not yet filled is neither. */
export const stagesIn = Effect.fn("stagesIn")(function* (parents: readonly string[]) {
  const fs = yield* FileSystem.FileSystem
  const places = (yield* Effect.forEach(parents, placesIn)).flat()
  const unclear = places.filter(({ manifest }) => Option.isNone(manifest))
  const filled = yield* Effect.filter(unclear, ({ place }) =>
    fs.readDirectory(place).pipe(
      Effect.map((names) => names.some((name) => !isLeftover(name))),
      Effect.orElseSucceed(() => true)
    )
  )
  const others = (yield* Effect.forEach(parents, othersIn)).flat()
  return { ours: places.length > unclear.length, foreign: [...filled.map(({ place }) => place), ...others] }
})

/** Removes the stages below some directories of the run in `directory`, and what their manifests name outside of them. */
export const clearStages = Effect.fn("clearStages")(function* (directory: string, parents: readonly string[]) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const removing = whileDoing("remove what an earlier run left", directory)
  for (const parent of parents) {
    for (const { place, manifest } of yield* placesIn(parent)) {
      if (Option.isNone(manifest)) {
        yield* removing(removeEmpty(place, directory))
        continue
      }
      const named = manifest.value.finished?.files.map(({ file }) => path.resolve(place, file)) ?? []
      for (const file of named.filter((each) => each.startsWith(`${directory}${path.sep}`))) {
        yield* removing(fs.remove(file, { force: true }))
        yield* removing(removeEmpty(path.dirname(file), directory))
      }
      yield* removing(fs.remove(place, { recursive: true, force: true }))
    }
    yield* removing(removeEmpty(parent, directory))
  }
})
