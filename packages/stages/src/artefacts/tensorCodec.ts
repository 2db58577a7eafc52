/** Saves and loads tensors of a backend: from and to its memory, without a second copy where the backend allows that. */
import { fileDtype, type Safetensors } from "@speedq/formats"
import type { PackedWeights } from "@speedq/quantizers"
import { type Backend, type DType, generate, type Parameters, type Tensor } from "@speedq/tensors"
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

/** Order of names in files and in loaded records, whatever order they were made in. */
export const byName = ([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number =>
  a < b ? -1 : a > b ? 1 : 0

/** Entries of a record of tensors, as `<prefix>.<name>`, in order of name. */
export const tensorSources = (prefix: string, tensors: Parameters): readonly Safetensors.TensorSource[] =>
  Object.entries(tensors)
    .sort(byName)
    .map(([name, tensor]) => tensorSource(`${prefix}.${name}`, tensor))

/** Entries of packed weights, in order of layer. */
export const packedSources = (weights: PackedWeights): readonly Safetensors.TensorSource[] =>
  [...weights].sort(byName).flatMap(([layer, weight]) => weight.entries(layer))

/** Whether entries are weights, which must be finite, or a stage's own state, which goes on with what it had. */
type Loaded = "weights" | "state"

/** Reads one entry into a new tensor. */
export const loadTensor = (backend: Backend, file: Safetensors.Safetensors, name: string, kind: Loaded) =>
  readingSaved(file.path, (): Tensor => {
    const info = file.tensors.get(name)
    const dtype = info && tensorDtype[info.dtype]
    if (info === undefined || dtype === undefined)
      throw new Error(`it has no tensor "${name}" of a kind this program reads`)
    const { store } = file
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
