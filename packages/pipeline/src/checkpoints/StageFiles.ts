/**
 * The directory of one stage: its saved states while it runs, its artefacts when it is finished.
 *
 * A save goes: state file (written aside, flushed, renamed), manifest (likewise), manifest read back, and only then is anything
 * older removed. So the manifest always names whole files, and the state before the newest is there if the newest is damaged.
 * The last state stays until every file of the finished stage has been read back. A damaged file is moved to `superseded/`; a file
 * that cannot be read for another reason stops the run, and nothing is removed.
 */
import type { AtomicFile } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import { RunDirectory } from "../directory/RunDirectory.ts"
import type { SavedFileDamaged } from "../Errors.ts"
import { emit } from "../events/Events.ts"
import { CheckpointSaved, Warning } from "../events/runEvents.ts"
import { isLeftover } from "../files/leftovers.ts"
import { isDamage, whileDoing } from "../files/storage.ts"
import { Build } from "../machine/Build.ts"
import { monotonicMillis } from "../machine/monotonic.ts"
import type { Saved, Stored } from "../stage/Codec.ts"
import { mendByProducts, writeCopies } from "./byProducts.ts"
import { damageOf, setDamagedAside } from "./damage.ts"
import { type Checkpoint, completeManifest, type Finished, type StageManifest, writeManifest } from "./StageManifest.ts"
import { type FileRecord, openSaved, recordOf, verifyFile, verifyFiles, writeSaved } from "./savedFile.ts"

/** The name of a state, which no other of these states has. */
const stateName = (step: number, others: ReadonlyArray<Checkpoint>): string => {
  const name = (count: number) => `step-${String(step).padStart(8, "0")}${count === 1 ? "" : `-${count}`}.safetensors`
  let count = 1
  while (others.some(({ file }) => file === name(count))) count++
  return name(count)
}
export const isStateName = (name: string) => /^step-\d+(-\d+)?\.safetensors$/.test(name)
const artefactName = (name: string) => `${name}.safetensors`

/** The files of the stage in `directory`, whose manifest is `initial`. Completes or removes what a killed process left half done. */
export const openStageFiles = Effect.fn("openStageFiles")(function* (directory: string, initial: StageManifest) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const run = yield* RunDirectory
  const build = yield* Build
  let manifest = initial
  // The newest state known to be good: the one that was loaded, or the last one written by this process.
  let good: Checkpoint | undefined
  // The step that it counts for now: fewer steps than were done when it was written may stand.
  let goodFor: number | undefined

  const at = (name: string) => path.join(directory, name)

  /** Who computed what is saved next: this build, and before it those of the state that was continued. */
  const builds = () => (good === undefined ? [build] : [...new Set([...manifest.builds, build])])

  const removeUnnamed = Effect.gen(function* () {
    const named = new Set(manifest.checkpoints.map(({ file }) => file))
    const names = yield* fs.readDirectory(directory)
    const unnamed = names.filter((name) => isLeftover(name) || (isStateName(name) && !named.has(name)))
    yield* Effect.forEach(unnamed, (name) => fs.remove(at(name), { force: true }), { discard: true })
  }).pipe(
    whileDoing("remove old states", directory),
    // They cost room and nothing else, and the next process that opens the stage removes them.
    Effect.catch(({ message }) => emit(Warning, { message }))
  )

  const commit = Effect.fnUntraced(function* (next: StageManifest) {
    yield* run.verify
    yield* writeManifest(directory, next)
    manifest = next
    yield* removeUnnamed
  })

  const damaged = (error: SavedFileDamaged, fallback: string) => setDamagedAside(directory, error, fallback)

  /** The finished stage, every file of it checked; none when it is not finished or must run again because a file is damaged. */
  const finished = Effect.gen(function* () {
    const record = manifest.finished
    if (record === null) return Option.none<Finished>()
    const { artefacts, files, copies } = record
    const damage = yield* damageOf(directory, [...Object.values(artefacts), ...(copies === undefined ? files : [])])
    if (damage !== undefined) {
      yield* damaged(damage, "the stage runs again")
      yield* commit({ ...manifest, finished: null })
      return Option.none<Finished>()
    }
    yield* mendByProducts(directory, record)
    if (manifest.checkpoints.length > 0) yield* commit({ ...manifest, checkpoints: [] })
    return Option.some(record)
  })

  /** Restores the newest good state and gives how many of its steps stand; none when there is no state. A damaged one is told and the one before it taken. */
  const resume = Effect.fn("StageFiles.resume")(function* <E, R>(
    restore: (stored: Stored, step: number) => Effect.Effect<number, E | SavedFileDamaged, R>
  ) {
    const states = manifest.checkpoints
    for (const [index, checkpoint] of states.entries()) {
      const earlier = states[index + 1]
      const fallback = earlier === undefined ? "the stage starts again" : `continuing from step ${earlier.step}`
      const restored = yield* verifyFile(at(checkpoint.file), checkpoint).pipe(
        Effect.andThen(openSaved(at(checkpoint.file))),
        Effect.flatMap((stored) => restore(stored, checkpoint.step)),
        Effect.asSome,
        Effect.catchIf(isDamage, (error) => Effect.as(damaged(error, fallback), Option.none<number>()))
      )
      if (Option.isNone(restored)) continue
      good = checkpoint
      goodFor = restored.value
      return restored
    }
    return Option.none<number>()
  })

  /** Saves the state after `step` of `steps` steps, unless it is saved already. */
  const save = Effect.fn("StageFiles.save")(function* <E, R>(step: number, steps: number, state: Saved<E, R>) {
    if (good !== undefined && goodFor === step) return
    yield* run.verify
    const startedAt = yield* monotonicMillis
    // Fewer steps than those of a state may stand, and as many be done again. It stays as it is until the manifest names another one.
    const states = good === undefined ? [] : manifest.checkpoints.slice(manifest.checkpoints.indexOf(good))
    const file = stateName(step, states)
    const written = yield* writeSaved(at(file), state)
    const checkpoint = { step, file, bytes: written.bytes, sha256: written.sha256 }
    const checkpoints = good === undefined ? [checkpoint] : [checkpoint, good]
    yield* commit({ ...manifest, builds: builds(), steps, checkpoints })
    good = checkpoint
    goodFor = step
    const milliseconds = (yield* monotonicMillis) - startedAt
    yield* emit(CheckpointSaved, { step, bytes: written.bytes, milliseconds })
  })

  /** Makes the stage finished: writes its artefacts, records `files` (what else it wrote, by path), reads all back, removes its states. */
  const finish = Effect.fn("StageFiles.finish")(function* <E, R>(
    steps: number,
    artefacts: ReadonlyArray<{ readonly name: string; readonly saved: Saved<E, R> }>,
    files: ReadonlyArray<string | AtomicFile.Written>
  ) {
    yield* run.verify
    const records: { [name: string]: FileRecord } = {}
    for (const { name, saved } of artefacts) {
      const { bytes, sha256 } = yield* writeSaved(at(artefactName(name)), saved)
      records[name] = { file: artefactName(name), bytes, sha256 }
    }
    const others = yield* Effect.forEach(files, (file) => {
      if (typeof file !== "string") return Effect.succeed({ ...file, file: path.relative(directory, file.file) })
      return whileDoing("read what the stage wrote", file)(recordOf(file, path.relative(directory, file)))
    })
    // What has no steps is made anew by its end.
    const copies = steps > 0 && others.length > 0 ? { copies: yield* writeCopies(directory, others) } : {}
    const record: Finished = { steps, artefacts: records, files: others, ...copies }
    yield* commit({ ...manifest, builds: builds(), steps, finished: record })
    const all = [...Object.values(records), ...others, ...Object.values(copies)]
    yield* verifyFiles(directory, all)
    yield* commit({ ...manifest, checkpoints: [] })
    return record
  })

  yield* completeManifest(directory, manifest)
  yield* removeUnnamed
  return {
    directory,
    key: initial.key,
    /** Step of the newest state when the directory was opened, 0 without one. */
    newestSaved: initial.checkpoints[0]?.step ?? 0,
    finished,
    resume,
    save,
    finish,
    /** Opens an artefact of the finished stage, for as long as the scope is. */
    artefact: (name: string) => openSaved(at(artefactName(name)))
  }
})

/** See `openStageFiles`. */
export type StageFiles = Effect.Success<ReturnType<typeof openStageFiles>>
