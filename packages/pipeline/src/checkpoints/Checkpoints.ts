/** Finds the place of each stage in a run directory: by its key, so that a result is reused exactly when it is the same result. */
import { AtomicFile } from "@speedq/formats"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type * as Scope from "effect/Scope"
import { RunDirectory, stagesName, supersededName } from "../directory/RunDirectory.ts"
import { SavedFileDamaged } from "../Errors.ts"
import { emit } from "../events/Events.ts"
import { BuildChanged, CheckpointDamaged, DataChanged, StageSuperseded } from "../events/runEvents.ts"
import { isLeftover } from "../files/leftovers.ts"
import { whileDoing } from "../files/storage.ts"
import { Build } from "../machine/Build.ts"
import type { Begun, Continued, Superseded } from "../stage/contract.ts"
import { mendByProducts } from "./byProducts.ts"
import { damageOf } from "./damage.ts"
import { openStageFiles, type StageFiles } from "./StageFiles.ts"
import { changedKey, keyChanges, type StageKey, standsFor } from "./StageKey.ts"
import {
  formatOf,
  manifestFormat,
  manifestName,
  readManifest,
  type StageManifest,
  stagesBelow,
  writeManifest
} from "./StageManifest.ts"
import { openSaved } from "./savedFile.ts"
import { freePlace, move } from "./superseded.ts"

/**
 * Directories of other runs whose finished stages may be copied where their key is the same: of an ablation, the variants that
 * share a stage.
 */
export const OtherRuns = Context.Reference<readonly string[]>("@speedq/pipeline/OtherRuns", {
  defaultValue: () => []
})

/** Asked whether a stage goes on with data that changed, and how: `Stage.continuation`. */
type Continuation<E, R> = (begun: Begun) => Effect.Effect<Option.Option<Continued>, E, R>

const never: Continuation<never, never> = () => Effect.succeedNone

/**
 * Steps behind a state or a result that is whole; none where nothing is saved, or it is damaged. What a finished stage wrote besides
 * is mended first: it may say what the stage used.
 */
const stepsDone = Effect.fnUntraced(function* (directory: string, { finished, checkpoints }: StageManifest) {
  const [newest] = checkpoints
  if (finished !== null) yield* mendByProducts(directory, finished)
  const files = finished === null ? [newest ?? []].flat() : [...Object.values(finished.artefacts), ...finished.files]
  if (files.length === 0 || (yield* damageOf(directory, files)) !== undefined) return Option.none<number>()
  return Option.some(finished === null ? newest!.step : finished.steps)
})

/**
 * The key that what is in `directory` has for a stage of `key`. A finished result stands under its own key where its stage's
 * `continuation` says so: nothing that it was made of changed. A begun one goes on under a key that has the data before the
 * change and after it, or under `key` where its result is that of a new start. What went on under a key of both keeps that key, and
 * is asked again each time: it may use data that a new start would not, of which the fingerprint says nothing. Otherwise `key`.
 */
const keyOfPlace = Effect.fnUntraced(function* <E, R>(
  directory: string,
  key: StageKey,
  continuation: Continuation<E, R>
) {
  const path = yield* Path.Path
  const manifest = Option.getOrUndefined(yield* readManifest(directory))?.manifest
  if (manifest === undefined || manifest.key === key.id) return key
  const own: StageKey = { id: manifest.key, parts: manifest.parts }
  const stands = standsFor(own.parts, key.parts)
  if (!stands && changedKey(own.parts, key.parts, 0) === undefined) return key
  const steps = Option.getOrUndefined(yield* stepsDone(directory, manifest))
  if (steps === undefined) return key
  const [newest] = manifest.checkpoints
  const how = yield* Effect.gen(function* () {
    const state = manifest.finished === null ? yield* openSaved(path.join(directory, newest!.file)) : undefined
    return yield* continuation({ directory, state })
  }).pipe(Effect.scoped)
  if (Option.isNone(how)) return key
  if (stands) return own
  const { detail, likeNew = false } = how.value
  const begunKey = () => (likeNew ? key : changedKey(own.parts, key.parts, steps)!)
  const after = manifest.finished === null ? begunKey() : own
  if (after !== own) {
    // The state before the newest may have used less, but its steps would be done again with other data than a key of both says.
    const checkpoints = likeNew ? manifest.checkpoints : manifest.checkpoints.slice(0, 1)
    yield* writeManifest(directory, { ...manifest, key: after.id, parts: after.parts, checkpoints })
  }
  yield* emit(DataChanged, { before: own.id, after: after.id, detail })
  return after
})

interface Claimed {
  readonly files: StageFiles
  /** The finished result that was in its place. */
  readonly before: Superseded | undefined
}

/**
 * Claims the directory `stages/<place>` for the stage of `wanted`. What the run has under this key is moved there from wherever it is;
 * what is there under another key is kept in `superseded/`, and an event says which fields of the key changed. Where nothing but the
 * stage's data changed, `continuation` may say that what is there stands or goes on.
 */
export const claim = Effect.fn("Checkpoints.claim")(function* <E = never, R = never>(
  place: string,
  wanted: StageKey,
  continuation: Continuation<E, R | Scope.Scope> = never
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const run = yield* RunDirectory
  const stages = path.join(run.path, stagesName)
  const directory = path.join(stages, place)
  const arranging = whileDoing("arrange the stages", directory)
  const key = yield* keyOfPlace(directory, wanted, continuation)

  const isOfKey = (found: Option.Option<{ readonly manifest: StageManifest }>) =>
    Option.exists(found, ({ manifest }) => manifest.key === key.id)

  const wholeBelow = (parent: string) =>
    Effect.map(stagesBelow(parent), (found) => found.filter((each) => !isLeftover(path.basename(each))))

  /** Where else this run keeps the stage of this key. */
  const elsewhere = Effect.gen(function* () {
    for (const parent of [stages, path.join(run.path, supersededName)]) {
      for (const candidate of yield* wholeBelow(parent)) {
        if (candidate !== directory && isOfKey(yield* readManifest(candidate))) return candidate
      }
    }
    return undefined
  })

  /** A finished stage of this key in another run, all of whose files are in its directory. */
  const inOtherRuns = Effect.gen(function* () {
    for (const other of yield* OtherRuns) {
      for (const candidate of yield* wholeBelow(path.join(other, stagesName))) {
        const found = yield* readManifest(candidate)
        if (!isOfKey(found) || Option.isNone(found)) continue
        const { finished } = found.value.manifest
        const own = finished?.files.every(({ file }) => !file.startsWith(".."))
        if (own) return candidate
      }
    }
    return undefined
  })

  /** Copies a stage so that `directory` is there whole or not at all, also after a loss of power. */
  const copy = (from: string) =>
    arranging(
      Effect.gen(function* () {
        const aside = path.join(stages, `.${place}.tmp`)
        yield* fs.remove(aside, { recursive: true, force: true })
        yield* fs.copy(from, aside)
        yield* AtomicFile.flushTree(aside)
        yield* fs.rename(aside, directory)
        yield* AtomicFile.flushDirectory(stages)
      })
    )

  // A process killed while it made the directory may have left it empty, or with a half-written manifest.
  const isOccupied = Effect.gen(function* () {
    const names = (yield* fs.exists(directory)) ? yield* fs.readDirectory(directory) : []
    return names.some((name) => !isLeftover(name))
  })

  const here = yield* readManifest(directory)
  let before: Superseded | undefined
  if (!isOfKey(here)) {
    if (yield* arranging(isOccupied)) {
      const old = Option.getOrUndefined(here)?.manifest
      const format = yield* formatOf(directory)
      const named = Option.match(format, { onNone: () => "unreadable", onSome: (number) => `format-${number}` })
      const keptAt = yield* freePlace(`${place}-${old?.key.slice(0, 8) ?? named}`)
      yield* move(directory, keptAt)
      const changes = old === undefined ? [unreadable(format)] : keyChanges(old.parts, key.parts)
      if (old?.finished) before = { directory: keptAt, changed: changes.map(({ field }) => field) }
      yield* emit(StageSuperseded, { changes, keptAt: path.relative(run.path, keptAt) })
    }
    yield* arranging(fs.remove(directory, { recursive: true, force: true }))
    const found = yield* elsewhere
    const shared = found === undefined ? yield* inOtherRuns : undefined
    if (found !== undefined) {
      yield* move(found, directory)
    } else if (shared !== undefined) {
      yield* copy(shared)
    } else {
      yield* arranging(fs.makeDirectory(directory, { recursive: true }))
      yield* writeManifest(directory, {
        format: manifestFormat,
        key: key.id,
        parts: key.parts,
        builds: [],
        steps: null,
        checkpoints: [],
        finished: null
      })
      yield* arranging(AtomicFile.flushDirectory(stages))
    }
  }

  const current = yield* readManifest(directory)
  if (Option.isNone(current)) {
    return yield* new SavedFileDamaged({ file: path.join(directory, manifestName), detail: "it cannot be read back" })
  }
  const { manifest, damage } = current.value
  if (Option.isSome(damage)) {
    const { file, detail } = damage.value
    yield* emit(CheckpointDamaged, { file: path.relative(run.path, file), detail, fallback: "its copy is used" })
    yield* writeManifest(directory, manifest)
  }
  const build = yield* Build
  const madeBy = manifest.builds.at(-1)
  if (madeBy !== undefined && madeBy !== build) yield* emit(BuildChanged, { before: madeBy, after: build })
  const claimed: Claimed = { files: yield* openStageFiles(directory, manifest), before }
  return claimed
})

/** Why a directory without a manifest that can be read holds nothing for the stage. */
const unreadable = (format: Option.Option<number>) =>
  Option.match(format, {
    onNone: () => ({ field: "manifest", before: "unreadable", after: "new" }),
    onSome: (number) => ({ field: "manifest.format", before: String(number), after: String(manifestFormat) })
  })
