/** The manifest of a stage's directory: whose result it is, and which files hold it. It is renamed into place last, so what it names is whole. */
import { createHash } from "node:crypto"
import { posix, win32 } from "node:path"
import { AtomicFile, checkOutside, jsonString, mostBytes } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { reachedOutside } from "../directory/linksOut.ts"
import { SavedFileDamaged } from "../Errors.ts"
import { readingFault, unlessDamaged, whileDoing } from "../files/storage.ts"
import { canonicalJson, isJsonObject } from "../json/canonicalJson.ts"
import { isPlace } from "../recipe/stageLabels.ts"
import { KeyParts } from "./StageKey.ts"
import { FileRecord } from "./savedFile.ts"

const isOwn = (file: string): boolean => !/[/\\]/.test(file) && file !== ".."
/** A file in the stage's directory. */
const OwnFile = Schema.Struct({
  ...FileRecord.fields,
  file: Schema.NonEmptyString.check(Schema.makeFilter((file) => isOwn(file) || "it is not in the stage's directory"))
})

/** From a stage's directory, which is two below the run's. */
const isInRun = (file: string): boolean =>
  !posix.isAbsolute(file) && !win32.isAbsolute(file) && !/^(\.\.[/\\]){3}/.test(win32.normalize(file))
/** A file somewhere in the run's directory: what an earlier manifest names is mended, moved and removed. */
const RunFile = Schema.Struct({
  ...FileRecord.fields,
  file: Schema.NonEmptyString.check(Schema.makeFilter((file) => isInRun(file) || "it is not in the run's directory"))
})

/** A saved state. */
export const Checkpoint = Schema.Struct({ step: Schema.Int, ...OwnFile.fields })
export interface Checkpoint extends Schema.Schema.Type<typeof Checkpoint> {}

/** A finished stage: its artefacts by name, the other files it wrote, named from its directory, and the file that has copies of them. */
export const Finished = Schema.Struct({
  steps: Schema.Int,
  artefacts: Schema.Record(Schema.String, OwnFile),
  files: Schema.Array(RunFile),
  copies: Schema.optionalKey(OwnFile)
})
export interface Finished extends Schema.Schema.Type<typeof Finished> {}

/** Of what is written now; a directory of an earlier format is not read, its stage runs again. */
export const manifestFormat = 2

/**
 * `checkpoints` is newest first; `builds` are those that computed what is saved, oldest first. Nothing in a manifest depends on when
 * it was written: equal results of one build have equal manifests.
 */
export const StageManifest = Schema.Struct({
  format: Schema.Literal(manifestFormat),
  key: Schema.String,
  parts: KeyParts,
  builds: Schema.Array(Schema.String),
  steps: Schema.NullOr(Schema.Int),
  checkpoints: Schema.Array(Checkpoint),
  finished: Schema.NullOr(Finished)
})
export interface StageManifest extends Schema.Schema.Type<typeof StageManifest> {}

export const manifestName = "manifest.json"
/** The same again: a damaged manifest costs nothing. */
export const manifestCopyName = "manifest.copy.json"

// A manifest carries the digest of itself, so that a flipped bit is not taken for another step or file.
const Sealed = jsonString(Schema.Struct({ sha256: Schema.String, manifest: Schema.Json }))
const decodeSealed = Schema.decodeUnknownEffect(Sealed)
const decodeManifest = Schema.decodeUnknownEffect(StageManifest)
const encode = Schema.encodeSync(StageManifest)
const digest = (manifest: Schema.Json) => createHash("sha256").update(canonicalJson(manifest)).digest("hex")

/** What a manifest file says, in whatever format. Fails with SavedFileDamaged when it is not there or not what was written, with StorageFailed when it cannot be read. */
const readSealed = Effect.fnUntraced(
  function* (file: string) {
    const fs = yield* FileSystem.FileSystem
    yield* checkOutside(file, "read", mostBytes.document)
    const { sha256, manifest } = yield* decodeSealed(yield* fs.readFileString(file))
    if (digest(manifest) !== sha256) return yield* new SavedFileDamaged({ file, detail: "its digest does not fit" })
    return manifest
  },
  (self, file) => Effect.mapError(self, (error) => readingFault(file, error))
)

/** Reads one manifest file. Fails with SavedFileDamaged, StorageFailed. */
const readFile = Effect.fnUntraced(function* (file: string) {
  const path = yield* Path.Path
  const damaged = (detail: string) => new SavedFileDamaged({ file, detail })
  const manifest = yield* Effect.mapError(decodeManifest(yield* readSealed(file)), ({ message }) => damaged(message))
  const place = path.dirname(file)
  const run = path.dirname(path.dirname(place))
  const elsewhere = (manifest.finished?.files ?? []).filter((each) => each.file.startsWith(".."))
  const names = elsewhere.map((each) => path.relative(run, path.resolve(place, each.file)))
  const out = yield* Effect.mapError(reachedOutside(run, names), (error) => readingFault(run, error))
  if (out !== undefined) return yield* damaged(`it names ${out}, to which a link out of the run's directory leads`)
  return manifest
})

/** The format of a manifest that is whole; none when there is no such manifest. */
export const formatOf = Effect.fn("StageManifest.formatOf")(function* (directory: string) {
  const path = yield* Path.Path
  const manifest = yield* unlessDamaged(readSealed(path.join(directory, manifestName)))
  return Option.flatMap(manifest, (json) =>
    isJsonObject(json) && typeof json.format === "number" ? Option.some(json.format) : Option.none<number>()
  )
})

/** The manifest of a directory, with what was wrong if only its copy is whole; none when neither is. Fails with StorageFailed. */
export const readManifest = Effect.fn("StageManifest.read")(function* (directory: string) {
  const path = yield* Path.Path
  const read = (name: string) => readFile(path.join(directory, name))
  return yield* read(manifestName).pipe(
    Effect.map((manifest) => Option.some({ manifest, damage: Option.none<SavedFileDamaged>() })),
    Effect.catchTag("SavedFileDamaged", (damage) =>
      Effect.map(unlessDamaged(read(manifestCopyName)), (copy) =>
        Option.map(copy, (manifest) => ({ manifest, damage: Option.some(damage) }))
      )
    )
  )
})

/** Directories of stages below one of them all, which need not exist, in order of name; what else is there is not looked at. Fails with StorageFailed. */
export const stagesBelow = Effect.fn("StageManifest.stagesBelow")(
  function* (parent: string) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const names = (yield* fs.exists(parent)) ? yield* fs.readDirectory(parent) : []
    return names
      .filter(isPlace)
      .sort()
      .map((name) => path.join(parent, name))
  },
  (self, parent) => whileDoing("look at the stages", parent)(self)
)

/** Makes `manifest` the truth about a directory, proves that it can be read, and copies it. */
export const writeManifest = Effect.fn("StageManifest.write")(function* (directory: string, manifest: StageManifest) {
  const path = yield* Path.Path
  const json = encode(manifest)
  const text = `${JSON.stringify({ sha256: digest(json), manifest: json }, null, 2)}\n`
  const write = (name: string) =>
    whileDoing(
      "write the manifest",
      path.join(directory, name)
    )(AtomicFile.writeWhole(path.join(directory, name), new TextEncoder().encode(text)))
  yield* write(manifestName)
  yield* readFile(path.join(directory, manifestName))
  yield* write(manifestCopyName)
})

/** Writes `manifest` again unless its copy says the same: a process killed between the two leaves a copy of what was before. */
export const completeManifest = Effect.fn("StageManifest.complete")(function* (
  directory: string,
  manifest: StageManifest
) {
  const path = yield* Path.Path
  const copy = yield* unlessDamaged(readFile(path.join(directory, manifestCopyName)))
  if (Option.exists(copy, (copied) => digest(encode(copied)) === digest(encode(manifest)))) return
  yield* writeManifest(directory, manifest)
})
