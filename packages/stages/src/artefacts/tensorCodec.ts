/** Saves and loads tensors of a backend: from and to its memory, without a second copy where the backend allows that. */
import { fileDtype, type Safetensors, type TensorStore } from "@speedq/formats"
import type { PackedWeights } from "@speedq/quantizers"
import { type Backend, bf16ToF32, type DType, f32ToBf16, generate, type Parameters, type Tensor } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import { readingSaved } from "./readingSaved.ts"

const tensorDtype: { readonly [dtype: string]: DType | undefined } = {
  F32: "f32",
  BF16: "bf16",
  F16: "f16",
  U8: "u8",
  I32: "i32"
}

/** A tensor as an entry of a file; its bytes are read when their turn comes. */
export const tensorSource = (name: string, tensor: Tensor): Safetensors.TensorSource => ({
  name,
  dtype: fileDtype[tensor.dtype],
  shape: tensor.shape,
  data: Effect.promise(() => tensor.backend.read(tensor.storage.handle))
})

/** A tensor in f32 whose numbers are those of bfloat16, as an entry of 2 bytes a number. */
export const roundedSource = (name: string, tensor: Tensor): Safetensors.TensorSource => ({
  name,
  dtype: "BF16",
  shape: tensor.shape,
  data: Effect.promise(async () => {
    const { buffer, byteOffset, byteLength } = await tensor.backend.read(tensor.storage.handle)
    return new Uint8Array(f32ToBf16(new Float32Array(buffer, byteOffset, byteLength / 4)).buffer)
  })
})

/** Order of names in files and in loaded records, whatever order they were made in. */
export const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0

/** Entries of a record of tensors, as `<prefix>.<name>`, in order of name. */
export const tensorSources = (
  prefix: string,
  tensors: Parameters,
  sourceOf = tensorSource
): readonly Safetensors.TensorSource[] =>
  Object.entries(tensors)
    .sort(byName)
    .map(([name, tensor]) => sourceOf(`${prefix}.${name}`, tensor))

/** Entries of packed weights, in order of layer. */
export const packedSources = (weights: PackedWeights): readonly Safetensors.TensorSource[] =>
  [...weights].sort(byName).flatMap(([layer, weight]) => weight.entries(layer))

/**
 * Whether entries are weights, which must be finite, or a stage's own state, which goes on with what it had; or a state whose bfloat16
 * becomes f32, which is exact.
 */
type Loaded = "weights" | "state" | "widened"

/** Reads patterns of bfloat16 into f32 in `target`. */
const widenInto = (store: TensorStore, name: string, target: Uint8Array): void => {
  const floats = new Float32Array(target.buffer, target.byteOffset, target.byteLength / 4)
  const patterns = new Uint16Array(floats.length)
  store.readInto(name, new Uint8Array(patterns.buffer))
  bf16ToF32(patterns, floats)
}

/** Reads one entry into a new tensor. */
export const loadTensor = (backend: Backend, file: Safetensors.Safetensors, name: string, kind: Loaded) =>
  readingSaved(file.path, (): Tensor => {
    const info = file.tensors.get(name)
    const dtype = info && tensorDtype[info.dtype]
    if (info === undefined || dtype === undefined)
      throw new Error(`it has no tensor "${name}" of a kind this program reads`)
    const { store } = file
    if (kind === "widened" && dtype === "bf16") {
      return generate(backend, { shape: info.shape, dtype: "f32" }, (bytes) => widenInto(store, name, bytes))
    }
    return generate(backend, { shape: info.shape, dtype }, (bytes) =>
      kind === "weights" ? store.readFiniteInto(name, bytes) : store.readInto(name, bytes)
    )
  })

/** Reads every entry `<prefix>.<name>`, by name; when one fails, nothing stays allocated. */
export const loadTensors = (backend: Backend, file: Safetensors.Safetensors, prefix: string, kind: Loaded) =>
  Effect.suspend(() => {
    const names = [...file.tensors.keys()].filter((name) => name.startsWith(`${prefix}.`))
    const loaded: { [name: string]: Tensor } = {}
    return Effect.forEach(names.sort(), (name) =>
      Effect.map(loadTensor(backend, file, name, kind), (tensor) => {
        loaded[name.slice(prefix.length + 1)] = tensor
      })
    ).pipe(
      Effect.as<Parameters>(loaded),
      Effect.onError(() =>
        Effect.sync(() => {
          for (const tensor of Object.values(loaded)) tensor.release()
        })
      )
    )
  })
