/**
 * What a run no longer uses and may lose: results and damaged files in `superseded/`, states that a later one took the place of, and
 * files that a killed process left half written. Only what manifests of the run prove to be its own counts.
 */
import { removeEmpty } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { isStateName } from "../checkpoints/StageFiles.ts"
import { manifestCopyName, manifestName, type StageManifest } from "../checkpoints/StageManifest.ts"
import { verifyFile } from "../checkpoints/savedFile.ts"
import { isLeftover } from "../files/leftovers.ts"
import { whileDoing } from "../files/storage.ts"
import { othersIn, placesIn } from "./clearRun.ts"
import { stagesName, supersededName } from "./RunDirectory.ts"

/** A file or directory that may be removed. `path` is from the run's directory. */
export interface Superfluous {
  readonly path: string
  readonly what:
    | "superseded result"
    | "file of a superseded result"
    | "damaged files"
    | "old state"
    | "left half written"
  readonly bytes: number
}

interface Found {
  readonly superfluous: ReadonlyArray<Superfluous>
  /** What is in `superseded/` and no manifest knows, from the run's directory. */
  readonly foreign: ReadonlyArray<string>
}

/** Files that a manifest names, and manifests: all that a stage writes in its own directory. */
const ownNames = ({ checkpoints, finished }: StageManifest): ReadonlySet<string> => {
  const { artefacts = {}, files = [], copies } = finished ?? {}
  const records = [...checkpoints, ...Object.values(artefacts), ...files, ...(copies === undefined ? [] : [copies])]
  return new Set([...records.map(({ file }) => file), manifestName, manifestCopyName])
}

const bytesOf = Effect.fnUntraced(function* (place: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const below = yield* Effect.orElseSucceed(fs.readDirectory(place, { recursive: true }), (): string[] => [])
  const infos = yield* Effect.forEach([place, ...below.map((name) => path.join(place, name))], (each) =>
    Effect.option(fs.stat(each))
  )
  return infos.reduce(
    (sum, info) => sum + (Option.isSome(info) && info.value.type === "File" ? Number(info.value.size) : 0),
    0
  )
})

/** What may be removed from the run in a directory, whose lock the caller holds. */
export const superfluousIn = Effect.fn("superfluousIn")(function* (given: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const directory = path.resolve(given)
  const [stages, superseded] = [path.join(directory, stagesName), path.join(directory, supersededName)]
  const namesIn = (place: string) => Effect.orElseSucceed(fs.readDirectory(place), (): string[] => [])
  const superfluous: Array<Superfluous> = []
  const foreign: Array<string> = []
  const add = Effect.fnUntraced(function* (what: Superfluous["what"], file: string) {
    superfluous.push({ what, path: path.relative(directory, file), bytes: yield* bytesOf(file) })
  })

  const current = new Map<string, StageManifest>()
  const inUse = new Set<string>()
  for (const name of (yield* namesIn(directory)).filter(isLeftover))
    yield* add("left half written", path.join(directory, name))
  for (const { place, manifest } of yield* placesIn(stages)) {
    if (isLeftover(path.basename(place))) yield* add("left half written", place)
    if (Option.isNone(manifest) || isLeftover(path.basename(place))) continue
    current.set(path.basename(place), manifest.value)
    for (const { file } of manifest.value.finished?.files ?? []) inUse.add(path.resolve(place, file))
    const own = ownNames(manifest.value)
    for (const name of yield* namesIn(place)) {
      if (isLeftover(name)) yield* add("left half written", path.join(place, name))
      else if (isStateName(name) && !own.has(name)) yield* add("old state", path.join(place, name))
    }
  }

  for (const { place, manifest } of yield* placesIn(superseded)) {
    if (Option.isSome(manifest)) {
      yield* add("superseded result", place)
      for (const record of manifest.value.finished?.files ?? []) {
        const file = path.resolve(place, record.file)
        if (file.startsWith(`${place}${path.sep}`) || inUse.has(file)) continue
        inUse.add(file)
        // Somebody may have written another file there since.
        const isWhole = yield* Effect.option(verifyFile(file, record))
        if (Option.isSome(isWhole)) yield* add("file of a superseded result", file)
      }
      continue
    }
    // Damaged files of a stage, moved aside, are called as it calls its files.
    const of = current.get(/^(.*)-damaged(-\d+)?$/.exec(path.basename(place))?.[1] ?? "")
    const own = of === undefined ? new Set<string>() : ownNames(of)
    const names = yield* namesIn(place)
    const isOurs = of !== undefined && names.every((name) => own.has(name) || isStateName(name) || isLeftover(name))
    if (isOurs) yield* add("damaged files", place)
    else foreign.push(path.relative(directory, place))
  }
  for (const other of yield* othersIn(superseded)) foreign.push(path.relative(directory, other))
  const found: Found = { superfluous, foreign }
  return found
})

/** Removes what `superfluousIn` found. */
export const removeSuperfluous = Effect.fn("removeSuperfluous")(function* (
  directory: string,
  superfluous: ReadonlyArray<Superfluous>
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  // Files of a result before the manifest that names them: one that is interrupted is found again.
  const inOrder = superfluous.toSorted(
    (a, b) => Number(a.what === "superseded result") - Number(b.what === "superseded result")
  )
  const top = path.resolve(directory)
  for (const each of inOrder) {
    const file = path.join(top, each.path)
    const removing = whileDoing("remove what the run no longer uses", file)
    yield* removing(fs.remove(file, { recursive: true, force: true }))
    yield* removing(removeEmpty(path.dirname(file), top))
  }
})
