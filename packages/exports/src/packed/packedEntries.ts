/** The tensors of the packed container: codes and scales as they are, everything else in 16 bits. */
import { fileDtype, type Safetensors } from "@speedq/formats"
import { packedContainer } from "@speedq/quantizers"
import { modelTensors } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { type Difference, exact, larger } from "../exporter/Difference.ts"
import { asStored, type Entries, type ExportParts } from "../exporter/entries.ts"
import { writtenAs } from "../exporter/writtenAs.ts"
import type { Rest } from "../model/deployedModel.ts"

/** Packed weights as they are, everything else in the format that its numbers were rounded to. */
export const packedEntries = (exported: ExportParts, rest: Rest): Entries => {
  const { packed, others, fixed } = exported.deployed
  const shapes = modelTensors(exported.source.directory.config)
  let difference = exact
  const note = (changed: Difference) => {
    difference = larger(difference, changed)
  }
  const plain = Object.entries(others).map(([name, tensor]): Safetensors.TensorSource => {
    const shape = shapes.get(name)!
    const dtype = tensor.dtype === "f32" && !fixed?.has(name) ? rest : (tensor.dtype as Rest)
    return (
      asStored(exported, name, shape, name) ?? {
        name,
        dtype: fileDtype[dtype],
        shape,
        data: Effect.sync(() => writtenAs(tensor, { dtype, done: note }))
      }
    )
  })
  const { entries, metadata } = packedContainer(packed, plain)
  return { sources: entries, metadata, difference: () => difference }
}
