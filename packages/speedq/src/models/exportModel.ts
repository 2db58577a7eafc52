/** Exports a run or a model, and says what each format kept. */
import { join } from "node:path"
import { decodeExport, type Exported, writeExports } from "@speedq/exports"
import { formatBytes } from "@speedq/pipeline"
import { Compute, computing } from "@speedq/stages"
import type { BackendName } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import type { JsonObject } from "effect/Schema"
import { openExportable } from "./exportable.ts"
import { exportFormats } from "./exportFormats.ts"
import { requireEmpty } from "./requireEmpty.ts"

export interface ExportRequest {
  /** Options of each format, as a recipe has them. */
  readonly formats: ReadonlyMap<string, JsonObject>
  /** A new or empty directory, of several formats the one that holds theirs; a run's own, or one beside the model, when absent. */
  readonly out: string | undefined
}

/** Writes the exports, all of them or none. Fails with OutputExists, NotExportable, and with what reading and writing models fails with. */
export const exportModel = Effect.fn("exportModel")(
  function* (path: string, request: ExportRequest, _backend: BackendName) {
    const { formats, out } = request
    const exporters = yield* exportFormats
    const choices = yield* computing(() =>
      [...formats].map(([format, options]) => decodeExport({ format, with: options }, exporters))
    )
    const inOut = (name: string) => (out === undefined || formats.size === 1 ? out : join(out, name))
    const named = choices.map((choice) => ({ choice, name: choice.exporter.directoryName(choice.config) }))
    if (out !== undefined) yield* Effect.forEach(named, ({ name }) => requireEmpty(inOut(name)!))
    const { source, deployed, recipe, directory: itsOwn } = yield* openExportable(path)
    const destinations = named.map(({ choice, name }) => ({ choice, directory: inOut(name) ?? itsOwn(name) }))
    yield* Effect.forEach(destinations, ({ directory }) => requireEmpty(directory))
    const written = yield* writeExports(destinations, { source, deployed, recipe })
    return written.map(({ exported }) => exported)
  },
  (self, _path, _request, backend) => self.pipe(Effect.scoped, Effect.provide(Compute.layer({ backend })))
)

/** What was written, in lines. */
export const describeExport = ({
  directory,
  format,
  bytes,
  directoryBytes,
  bitsPerWeight,
  exact,
  maxAbsErr,
  relErr,
  layersFallenBack,
  checkedBy
}: Exported) =>
  [
    `${directory}: ${format}`,
    `${formatBytes(bytes)} of weights, ${bitsPerWeight.toFixed(3)} bits per parameter; ${formatBytes(directoryBytes)} on disk, with names, tokenizer and configuration.`,
    exact
      ? "Every number loads exactly."
      : `Numbers differ by ${maxAbsErr} at most, a tensor by ${(100 * relErr).toPrecision(3)} %.`,
    `Layers that this format cannot hold quantized: ${layersFallenBack.length === 0 ? "none" : layersFallenBack.join(", ")}.`,
    `The format has been loaded and compared by: ${checkedBy.length === 0 ? "nothing yet" : checkedBy.join(", ")}.`
  ].join("\n")
