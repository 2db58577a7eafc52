/** Writes tensors of an export as one safetensors file. */
import { join } from "node:path"
import { Safetensors, tensorBytes } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { ExportNotWritten } from "../Errors.ts"
import type { ModelToExport } from "./Exporter.ts"
import { type Entries, type ExportParts, hasResized } from "./entries.ts"

export const tensorsName = "model.safetensors"

/** Bytes of the tensors themselves, without a file's names and padding. */
export const dataBytes = (sources: readonly Safetensors.TensorSource[]): number =>
  sources.reduce((sum, { shape, dtype }) => sum + tensorBytes(dtype, shape)!, 0)

/**
 * Writes what `entriesOf` makes of the model, and gives the file, the bytes of its tensors, and how far numbers as written are; the
 * checkpoint is open where something is written as it was stored.
 */
export const writeTensors = Effect.fnUntraced(
  function* (
    { source, deployed, directory }: ModelToExport,
    entriesOf: (parts: ExportParts) => Entries,
    name = tensorsName
  ) {
    const store = hasResized(source) ? (yield* Safetensors.openModel(source.directory.directory)).store : undefined
    const { sources, metadata, difference } = entriesOf({ source, store, deployed })
    const written = yield* Safetensors.write(join(directory, name), sources, { metadata })
    return { file: { ...written, file: name }, bytes: dataBytes(sources), difference: difference() }
  },
  (self, { directory }) =>
    self.pipe(
      Effect.scoped,
      Effect.mapError((cause) => new ExportNotWritten({ directory, cause }))
    )
)
