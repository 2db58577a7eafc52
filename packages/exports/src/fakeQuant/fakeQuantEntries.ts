/** The tensors of a fake-quant export: dequantized weights under the names that the checkpoint had. */
import { fileDtype, layerOf, type Safetensors } from "@speedq/formats"
import type { Shape, Tensor } from "@speedq/tensors"
import { modelTensors } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type Difference, exact, larger } from "../exporter/Difference.ts"
import { asStored, type Entries, type ExportParts } from "../exporter/entries.ts"
import { writtenAs } from "../exporter/writtenAs.ts"
import type { Rest } from "../model/deployedModel.ts"
import { partRows, type Rows } from "../model/numberRows.ts"

interface Part {
  readonly name: string
  readonly shape: Shape
  readonly rows: Rows
}

/** Equal runs of rows of a parameter under the names that the source stores them by. */
const partsOf = (names: readonly string[], [rows = 1, ...rest]: Shape): readonly Part[] =>
  names.map((name, part) => ({ name, shape: [rows / names.length, ...rest], rows: partRows(rows, part, names.length) }))

/** What a parameter that is not quantized is written in: f32 has no bit for numbers of 16 bits to gain. */
const plainDtype = (tensor: Tensor, dtype: Rest): Rest =>
  dtype === "f32" && tensor.dtype !== "f32" ? (tensor.dtype as Rest) : dtype

/**
 * Dequantized weights under `names`, by default those of the checkpoint that the run started from, in `dtype`; but matrices of 16 bits
 * stay in those where `dtype` is f32, so that they are loaded, and multiplied, as those of the packed form are. What was resized when it
 * was loaded is written as that checkpoint has it under its names, and as it was loaded under others. Parameters that are `leftOut` are not
 * written.
 */
export const fakeQuantEntries = (
  exported: ExportParts,
  dtype: Rest,
  names: ReadonlyMap<string, readonly string[]> = exported.source.stored,
  leftOut: ReadonlySet<string> = new Set()
): Entries => {
  const { source, deployed } = exported
  const isAsStored = names === source.stored
  let difference = exact
  const note = (changed: Difference) => {
    difference = larger(difference, changed)
  }
  const sources = [...modelTensors(source.directory.config)].flatMap(([parameter, shape]) => {
    if (leftOut.has(parameter)) return []
    const weight = deployed.packed.get(layerOf(parameter))
    const written = weight ? dtype : plainDtype(deployed.others[parameter]!, dtype)
    const loaded = isAsStored ? shape : (deployed.others[parameter]?.shape ?? shape)
    return partsOf(names.get(parameter) ?? [parameter], loaded).map(
      ({ name, shape: own, rows }): Safetensors.TensorSource =>
        (isAsStored ? asStored(exported, parameter, shape, name) : undefined) ?? {
          name,
          dtype: fileDtype[written],
          shape: own,
          data: Effect.sync(() =>
            writtenAs(weight ?? deployed.others[parameter]!, { dtype: written, rows, done: note })
          )
        }
    )
  })
  return { sources, metadata: { format: "pt" }, difference: () => difference }
}
