/** The tensors of an exported model, each made when its turn to be written comes. */
import type { Safetensors, TensorStore } from "@speedq/formats"
import { packedContainer } from "@speedq/quantizers"
import { cast, noGrad, type Shape, sizeOf, type Tensor } from "@speedq/tensors"
import { modelTensors } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import type { DeployedModel, Rest } from "../../model/deployedModel.ts"
import type { SourceModel } from "../../model/SourceModel.ts"

export interface Entries {
  readonly sources: readonly Safetensors.TensorSource[]
  readonly metadata: Readonly<Record<string, string>>
  /** Largest difference of a number as written; known when everything is. */
  readonly maxAbsErr: () => number
}

const fileDtype = { bf16: "BF16", f16: "F16", f32: "F32" } as const

/** Largest difference between two tensors of f32. */
const differenceOf = async (a: Tensor, b: Tensor): Promise<number> => {
  const [before, after] = [await a.read(), await b.read()]
  let largest = 0
  for (let i = 0; i < before.length; i++) largest = Math.max(largest, Math.abs(before[i]! - after[i]!))
  return largest
}

/** The tensor's bytes in another format, and the largest difference that makes. Releases the tensor. */
const writtenAs = async (tensor: Tensor, dtype: Rest): Promise<{ bytes: Uint8Array; difference: number }> => {
  const [written, before, after] = noGrad(() => {
    const converted = tensor.dtype === dtype ? tensor.alias() : cast(tensor, dtype)
    return [converted, cast(tensor, "f32"), cast(converted, "f32")] as const
  })
  const difference = await differenceOf(before, after)
  const bytes = Uint8Array.from(await written.backend.read(written.storage.handle))
  for (const each of [tensor, written, before, after]) each.release()
  return { bytes, difference }
}

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

/** What entries are made of. */
export interface Exported {
  readonly source: SourceModel
  /** The checkpoint that the source was loaded from, where something of it is written as it was stored. */
  readonly store: TensorStore | undefined
  readonly deployed: DeployedModel
}

const isResized = ({ weights }: SourceModel, parameter: string, shape: Shape): boolean =>
  sizeOf(weights[parameter]!.shape) !== sizeOf(shape)

/** Whether a parameter was resized for another tile size when it was loaded, as positions are. */
export const hasResized = (source: SourceModel): boolean =>
  [...modelTensors(source.directory.config)].some(([parameter, shape]) => isResized(source, parameter, shape))

/** What was resized is written as the checkpoint has it; undefined for everything else. */
const asStored = ({ source, store }: Exported, parameter: string, shape: Shape, name: string) => {
  if (store === undefined || !isResized(source, parameter, shape)) return undefined
  // A packed container has the parameter's own name, whatever its model calls it elsewhere.
  const stored = [...(source.stored.get(parameter) ?? []), parameter].find((known) => store.tensors.has(known))!
  const { dtype } = store.tensors.get(stored)!
  return { name, dtype, shape, data: Effect.sync(() => store.read(stored)) } satisfies Safetensors.TensorSource
}

/** What a parameter that is not quantized is written in: f32 has no bit for numbers of 16 bits to gain. */
const plainDtype = (tensor: Tensor, dtype: Rest): Rest =>
  dtype === "f32" && tensor.dtype !== "f32" ? (tensor.dtype as Rest) : dtype

/**
 * Dequantized weights under the names of the checkpoint that the run started from, in `dtype`; but matrices of 16 bits stay
 * in those where `dtype` is f32, so that they are loaded, and multiplied, as those of the packed form are.
 */
export const fakeQuantEntries = (exported: Exported, dtype: Rest): Entries => {
  const { source, deployed } = exported
  let largest = 0
  const sources = [...modelTensors(source.directory.config)].flatMap(([parameter, shape]) => {
    const weight = deployed.packed.get(parameter)
    const written = weight ? dtype : plainDtype(deployed.others[parameter]!, dtype)
    return partsOf(source.stored.get(parameter) ?? [parameter], shape).map(
      ({ name, shape: own, part, parts }): Safetensors.TensorSource =>
        asStored(exported, parameter, shape, name) ?? {
          name,
          dtype: fileDtype[written],
          shape: own,
          data: Effect.promise(async () => {
            const tensor = weight ? noGrad(() => weight.unpack()) : deployed.others[parameter]!.alias()
            const { bytes, difference } = await writtenAs(tensor, written)
            largest = Math.max(largest, difference)
            return bytes.subarray((part * bytes.length) / parts, ((part + 1) * bytes.length) / parts)
          })
        }
    )
  })
  return { sources, metadata: { format: "pt" }, maxAbsErr: () => largest }
}

/** Packed weights as they are, everything else in the format that its numbers were rounded to. */
export const packedEntries = (exported: Exported, rest: Rest): Entries => {
  const { packed, others } = exported.deployed
  const shapes = modelTensors(exported.source.directory.config)
  let largest = 0
  const plain = Object.entries(others).map(([name, tensor]): Safetensors.TensorSource => {
    const shape = shapes.get(name)!
    const dtype = tensor.dtype === "f32" ? rest : (tensor.dtype as Rest)
    return (
      asStored(exported, name, shape, name) ?? {
        name,
        dtype: fileDtype[dtype],
        shape,
        data: Effect.promise(async () => {
          const { bytes, difference } = await writtenAs(tensor.alias(), dtype)
          largest = Math.max(largest, difference)
          return bytes
        })
      }
    )
  })
  const { entries, metadata } = packedContainer(packed, plain)
  return { sources: entries, metadata, maxAbsErr: () => largest }
}
