/** `superseded/`: what a run no longer uses and does not delete, stages of another key and files that are damaged. */
import { AtomicFile } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import { RunDirectory, supersededName } from "../directory/RunDirectory.ts"
import { madeDirectory, whileDoing } from "../files/storage.ts"

/** Renames a file or directory, and flushes both directories. */
export const move = Effect.fn("move")(
  function* (from: string, to: string) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    yield* madeDirectory(path.dirname(to))
    yield* fs.rename(from, to)
    yield* AtomicFile.flushDirectory(path.dirname(from))
    yield* AtomicFile.flushDirectory(path.dirname(to))
  },
  (self, from) => whileDoing("arrange the stages", from)(self)
)

/** A place in `superseded/` that nothing has yet: `name`, or `name-2` and so on. */
export const freePlace = Effect.fn("freePlace")(
  function* (name: string) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const run = yield* RunDirectory
    const first = path.join(run.path, supersededName, name)
    let candidate = first
    for (let count = 2; yield* fs.exists(candidate); count++) candidate = `${first}-${count}`
    return candidate
  },
  (self, name) => whileDoing("look for a free place in superseded", name)(self)
)

/** Moves a damaged file of the stage at `place` aside. Gives where it is now, from the run directory; undefined where it was gone. */
export const setAside = Effect.fn("setAside")(function* (place: string, file: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const run = yield* RunDirectory
  if (!(yield* whileDoing("look for a damaged file", file)(fs.exists(file)))) return undefined
  const to = path.join(yield* freePlace(`${place}-damaged`), path.basename(file))
  yield* move(file, to)
  return path.relative(run.path, to)
})
