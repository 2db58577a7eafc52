/** Exports a run or a model, and says what the format kept. */
import { decodeExport, type Exported, writeExport } from "@speedq/exports"
import { formatBytes } from "@speedq/pipeline"
import { Compute, computing, Extensions } from "@speedq/stages"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import type { JsonObject } from "effect/Schema"
import { openExportable } from "./exportable.ts"
import { requireEmpty } from "./requireEmpty.ts"

export interface ExportRequest {
  readonly format: string
  /** Options of the format, as a recipe has them. */
  readonly with: JsonObject
  /** A new or empty directory; a run's own, or one beside the model, when absent. */
  readonly out: string | undefined
}

/** Writes the export. Fails with OutputExists, NotExportable, and with what reading and writing models fails with. */
export const exportModel = Effect.fn("exportModel")(
  function* (path: string, request: ExportRequest, _backend: BackendName) {
    const { out } = request
    const { exporters } = yield* Extensions
    const choice = yield* computing(() => decodeExport(request, exporters))
    if (out !== undefined) yield* requireEmpty(out)
    const { source, deployed, recipe, directory: itsOwn } = yield* openExportable(path)
    const directory = out ?? itsOwn(choice.exporter.directoryName(choice.config))
    yield* requireEmpty(directory)
    const { exported } = yield* writeExport(choice, { source, deployed, directory, recipe })
    return exported
  },
  (self, _path, _request, backend) => self.pipe(Effect.scoped, Effect.provide(Compute.layer({ backend })))
)

/** What was written, in lines. */
export const describeExport = ({
  directory,
  format,
  bytes,
  bitsPerWeight,
  exact,
  maxAbsErr,
  relErr,
  layersFallenBack,
  checkedBy
}: Exported) =>
  [
    `${directory}: ${format}, ${formatBytes(bytes)}, ${bitsPerWeight.toFixed(3)} bits per parameter`,
    exact
      ? "Every number loads exactly."
      : `Numbers differ by ${maxAbsErr} at most, a tensor by ${(100 * relErr).toPrecision(3)} %.`,
    `Layers that this format cannot hold quantized: ${layersFallenBack.length === 0 ? "none" : layersFallenBack.join(", ")}.`,
    `The format has been loaded and compared by: ${checkedBy.length === 0 ? "nothing yet" : checkedBy.join(", ")}.`
  ].join("\n")
