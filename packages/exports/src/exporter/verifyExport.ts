/** Compares the files of an export with the digests that their writers left in its description. */
import { join } from "node:path"
import { type AtomicFile, type FileFailed, fileDigest, readText } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { ExportDamaged, ExportUnverifiable } from "../Errors.ts"
import { descriptionName } from "./companions.ts"

const FileDigest = Schema.Struct({ bytes: Schema.Int, sha256: Schema.String })

/** Digests of files by their names, as a description has them. */
export const describeFiles = (
  files: readonly AtomicFile.Written[]
): { readonly [name: string]: typeof FileDigest.Type } =>
  Object.fromEntries(files.map(({ file, bytes, sha256 }) => [file.replaceAll("\\", "/"), { bytes, sha256 }]))

const Description = Schema.fromJsonString(
  Schema.Struct({ files: Schema.optionalKey(Schema.Record(Schema.String, FileDigest)) })
)
const decode = Schema.decodeUnknownEffect(Description)

const again = "export the model again with this version"

/** What its description says of an export's files. */
const describedFiles = Effect.fnUntraced(function* (directory: string) {
  const unverifiable = (reason: string, fix = again) => new ExportUnverifiable({ directory, reason, fix })
  const text = yield* Effect.mapError(readText(join(directory, descriptionName)), ({ code, message }) =>
    code === "ENOENT"
      ? unverifiable(`it has no ${descriptionName}, so it is no finished export`, "give the directory of an export")
      : unverifiable(message)
  )
  const { files } = yield* Effect.mapError(decode(text), ({ message }) =>
    unverifiable(`its ${descriptionName} is damaged: ${message}`)
  )
  if (files === undefined) {
    return yield* unverifiable(`its ${descriptionName} has no digests: an earlier version wrote it`)
  }
  return files
})

const isGone = (error: FileFailed): boolean => error.code === "ENOENT"

/**
 * Reads every file that an export wrote, and compares it with its digest in quantization.json; files that were added are left alone.
 * Fails with ExportDamaged, which has all files that differ; with ExportUnverifiable where there are no digests, as in exports of
 * earlier versions and in models that no export wrote; and with FileFailed where a file cannot be read.
 */
export const verifyExport = Effect.fn("verifyExport")(function* (directory: string) {
  const described = yield* describedFiles(directory)
  const damaged: (typeof ExportDamaged.fields.files.Type)[number][] = []
  for (const [file, { sha256: expected }] of Object.entries(described)) {
    const found = yield* fileDigest(join(directory, file)).pipe(
      Effect.map(({ sha256 }) => sha256),
      Effect.catchIf(isGone, () => Effect.succeed(null))
    )
    if (found !== expected) damaged.push({ file, expected, found })
  }
  const [first, ...others] = damaged
  if (first !== undefined) return yield* new ExportDamaged({ directory, files: [first, ...others] })
})
