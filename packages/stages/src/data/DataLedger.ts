/**
 * What the data of a stage was when the stage began. A stage keeps to it: records that are dropped or repaired later leave the order
 * of all others as it is, so that what was done goes on. Of a record that was repaired it says what the stage goes on with. It lies in
 * the stage's directory, beside the saved states.
 */
import { createHash } from "node:crypto"
import { join } from "node:path"
import { AtomicFile, ifPresent, mostBytes, readText } from "@speedq/formats"
import { type RecipeSettings, readingFault, SavedFileDamaged, whileDoing } from "@speedq/pipeline"
import type { PictureLimits } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { DataConfig } from "../training/TrainingConfig.ts"
import { modelDigest } from "./fingerprint.ts"
import { mixturePictures, readMixture } from "./mixture.ts"
import { KeptLimits, keptLimits } from "./pictureLimits.ts"

const DataLedger = Schema.Struct({
  /** Digests of the model and of what the meta file says. */
  model: Schema.String,
  meta: Schema.String,
  pictures: Schema.Literals(["time", "bytes"]),
  /** Which pictures are read; the defaults where nothing is said. */
  limits: Schema.optionalKey(KeptLimits),
  parts: Schema.Array(
    Schema.Struct({
      /** Lines of the annotation file, and its digest. */
      lines: Schema.Int,
      annotation: Schema.String,
      /** Of the selected lines, ascending: a digest of each, and of its pictures. */
      records: Schema.Uint8ArrayFromBase64,
      shown: Schema.Uint8ArrayFromBase64
    })
  )
})
export type DataLedger = typeof DataLedger.Type

export const ledgerName = "data.json"
const Sealed = Schema.fromJsonString(Schema.Struct({ sha256: Schema.String, ledger: Schema.String }))
const Text = Schema.fromJsonString(DataLedger)

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex")

/** A digest of all that a ledger says. */
export const ledgerDigest = (ledger: DataLedger): string => sha256(Schema.encodeSync(Text)(ledger))

/** The ledger of the stage in `directory`; none where it has not begun. Fails with SavedFileDamaged, StorageFailed. */
export const readLedger = Effect.fn("DataLedger.read")(function* (directory: string) {
  const file = join(directory, ledgerName)
  const damaged = (detail: string) => new SavedFileDamaged({ file, detail })
  const text = yield* Effect.mapError(ifPresent(readText(file, mostBytes.text)), (error) => readingFault(file, error))
  if (text === undefined) return Option.none<DataLedger>()
  const sealed = yield* Effect.mapError(Schema.decodeUnknownEffect(Sealed)(text), ({ message }) => damaged(message))
  if (sha256(sealed.ledger) !== sealed.sha256) return yield* damaged("its digest does not fit")
  const ledger = yield* Effect.mapError(Schema.decodeUnknownEffect(Text)(sealed.ledger), (e) => damaged(e.message))
  return Option.some(ledger)
})

/** The ledger of data as it is now. Fails with DataUnusable. */
const ledgerOf = Effect.fnUntraced(function* (data: DataConfig, limits: PictureLimits, recipe: RecipeSettings) {
  const mixture = yield* readMixture({ data, seed: recipe.seed })
  const pictures = yield* mixturePictures(mixture, data.pictures)
  const ledger: DataLedger = {
    model: yield* modelDigest(recipe),
    meta: mixture.meta,
    pictures: data.pictures,
    limits: keptLimits(limits),
    parts: mixture.parts.map(({ annotation, starts, records }, at) => ({
      lines: starts.length - 1,
      annotation,
      records: records.digests,
      shown: pictures[at]!.digests
    }))
  }
  return ledger
})

/** Fails with StorageFailed. */
export const writeLedger = (directory: string, ledger: DataLedger) => {
  const text = Schema.encodeSync(Text)(ledger)
  const file = join(directory, ledgerName)
  const bytes = new TextEncoder().encode(Schema.encodeSync(Sealed)({ sha256: sha256(text), ledger: text }))
  return whileDoing("write what the stage's data is", file)(AtomicFile.writeWhole(file, bytes))
}

/** The ledger of the stage in `directory`, which is made when the stage begins, and whether it was made now. */
export const openLedger = Effect.fn("DataLedger.open")(function* (
  directory: string,
  data: DataConfig,
  limits: PictureLimits,
  recipe: RecipeSettings
) {
  const before = yield* readLedger(directory)
  if (Option.isSome(before)) return { ledger: before.value, isNew: false }
  const ledger = yield* ledgerOf(data, limits, recipe)
  yield* writeLedger(directory, ledger)
  return { ledger, isNew: true }
})
