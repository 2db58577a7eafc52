/** Exports a run or a model, and says what the format kept. */
import { readdir } from "node:fs/promises"
import { Compute } from "@speedq/pipeline/compute/Compute"
import { formatBytes } from "@speedq/pipeline/format"
import { type Exported, writeModel } from "@speedq/pipeline/stages/export/writeModel"
import * as Effect from "effect/Effect"
import { OutputExists } from "../Errors.ts"
import { openExportable } from "./exportable.ts"

export interface ExportRequest {
  readonly format: "fake-quant" | "packed"
  /** Numbers of a fake-quant export. */
  readonly dtype: "bf16" | "f32"
  /** A new or empty directory; a run's own, or one beside the model, when absent. */
  readonly out: string | undefined
}

const refuseFull = Effect.fnUntraced(function* (directory: string) {
  const found = yield* Effect.promise(() => readdir(directory).catch(() => []))
  if (found.length > 0) return yield* new OutputExists({ directory, found })
})

/** Writes the export. Fails with OutputExists, NotExportable, and with what reading and writing models fails with. */
export const exportModel = Effect.fn("exportModel")(
  function* (path: string, { format, dtype, out }: ExportRequest, _backend: string) {
    if (out !== undefined) yield* refuseFull(out)
    const { source, deployed, recipe, rest, directory: itsOwn } = yield* openExportable(path)
    const directory = out ?? itsOwn(format === "fake-quant" && dtype === "f32" ? "fake-quant-f32" : format)
    yield* refuseFull(directory)
    return yield* writeModel(source, deployed, { format, dtype, rest, directory, recipe })
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
  layersFallenBack
}: Exported) =>
  [
    `${directory}: ${format}, ${formatBytes(bytes)}, ${bitsPerWeight.toFixed(3)} bits a parameter`,
    exact ? "Every number loads as it was." : `Numbers differ by ${maxAbsErr} at most.`,
    `Layers that this format cannot hold as they are: ${layersFallenBack.length === 0 ? "none" : layersFallenBack.join(", ")}.`
  ].join("\n")
