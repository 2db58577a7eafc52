/** One saved value in one safetensors file: its tensors, and its JSON part in the header. Checked against its digest when opened. */
import { checkOutside, digestOf, jsonString, Safetensors, type SafetensorsInvalid } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import { SavedFileDamaged, type StorageFailed } from "../Errors.ts"
import { readingFault, whileStoring } from "../files/storage.ts"
import { canonicalJson } from "../json/canonicalJson.ts"
import type { Saved, Stored } from "../stage/Codec.ts"

/** What a manifest remembers of a file. */
export const FileRecord = Schema.Struct({ file: Schema.String, bytes: Schema.Int, sha256: Schema.String })
export interface FileRecord extends Schema.Schema.Type<typeof FileRecord> {}

const dataKey = "data"
const decodeData = Schema.decodeUnknownEffect(jsonString(Schema.Json))

/** Writes a value so that `path` is at every moment the old file or the whole new one. */
export const writeSaved = <E, R>(
  path: string,
  { data, tensors }: Saved<E, R>
): Effect.Effect<Omit<FileRecord, "file">, E | StorageFailed | SafetensorsInvalid, R> =>
  whileStoring("save", path)(Safetensors.write(path, tensors, { metadata: { [dataKey]: canonicalJson(data) } }))

/** Size and SHA-256 of a file. */
export const recordOf = Effect.fn("recordOf")(function* (path: string, name: string) {
  const fs = yield* FileSystem.FileSystem
  yield* checkOutside(path, "read")
  const file = yield* fs.open(path)
  const record: FileRecord = { file: name, ...(yield* digestOf((block) => Effect.map(file.read(block), Number))) }
  return record
}, Effect.scoped)

/** Fails with SavedFileDamaged unless the file is byte for byte what the record says; with StorageFailed where it cannot be read. */
export const verifyFile = Effect.fn("verifyFile")(function* (path: string, expected: FileRecord) {
  const damaged = (detail: string) => new SavedFileDamaged({ file: path, detail })
  const found = yield* Effect.mapError(recordOf(path, expected.file), (error) => readingFault(path, error))
  if (found.bytes !== expected.bytes) {
    return yield* damaged(`it has ${found.bytes} bytes, ${expected.bytes} were written`)
  }
  if (found.sha256 !== expected.sha256) {
    return yield* damaged(`its SHA-256 is ${found.sha256}, that of what was written ${expected.sha256}`)
  }
})

/** The same for files of a directory, one after the other. */
export const verifyFiles = Effect.fn("verifyFiles")(function* (directory: string, files: ReadonlyArray<FileRecord>) {
  const path = yield* Path.Path
  for (const file of files) yield* verifyFile(path.join(directory, file.file), file)
})

/** Opens a saved value for as long as the scope is. The file must have been verified. Fails with SavedFileDamaged, StorageFailed. */
export const openSaved = Effect.fn("openSaved")(
  function* (path: string) {
    const tensors = yield* Safetensors.open(path)
    const data = yield* decodeData(tensors.metadata[dataKey])
    return { data, tensors } satisfies Stored
  },
  (self, path) => Effect.mapError(self, (error) => readingFault(path, error))
)
