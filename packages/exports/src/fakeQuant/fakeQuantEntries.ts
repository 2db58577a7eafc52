/** The tensors of a fake-quant export: dequantized weights under the names that the checkpoint had. */
import { fileDtype, layerOf, type Safetensors } from "@speedq/formats"
import { noGrad, type Shape, type Tensor } from "@speedq/tensors"
import { modelTensors } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { exact, larger } from "../exporter/Difference.ts"
import { asStored, type Entries, type ExportParts, writtenAs } from "../exporter/entries.ts"
import type { Rest } from "../model/deployedModel.ts"
import { rowsOf } from "../model/rowsOf.ts"

interface Part {
  readonly name: string
  readonly shape: Shape
  /** Which of `parts` equal runs of rows this is. */
  readonly part: number
  readonly parts: number
}

/** Rows [part / parts, (part + 1) / parts) of a parameter under the names that the source stores it by. */
const partsOf = (names: readonly string[], [rows = 1, ...rest]: Shape): readonly Part[] =>
  names.length === 1
    ? [{ name: names[0]!, shape: [rows, ...rest], part: 0, parts: 1 }]
    : names.map((name, part) => ({ name, shape: [rows / names.length, ...rest], part, parts: names.length }))

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
  const sources = [...modelTensors(source.directory.config)].flatMap(([parameter, shape]) => {
    if (leftOut.has(parameter)) return []
    const weight = deployed.packed.get(layerOf(parameter))
    const written = weight ? dtype : plainDtype(deployed.others[parameter]!, dtype)
    const loaded = isAsStored ? shape : (deployed.others[parameter]?.shape ?? shape)
    return partsOf(names.get(parameter) ?? [parameter], loaded).map(
      ({ name, shape: own, part, parts }): Safetensors.TensorSource =>
        (isAsStored ? asStored(exported, parameter, shape, name) : undefined) ?? {
          name,
          dtype: fileDtype[written],
          shape: own,
          data: Effect.promise(async () => {
            const tensor = weight ? noGrad(() => weight.unpack()) : deployed.others[parameter]!.alias()
            const { bytes, difference: changed } = await writtenAs(tensor, written)
            difference = larger(difference, changed)
            return rowsOf(bytes, part, parts)
          })
        }
    )
  })
  return { sources, metadata: { format: "pt" }, difference: () => difference }
}
