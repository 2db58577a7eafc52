/** Tensors that PyTorch computed, out of test/fixtures. */
import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { Safetensors, typedView } from "@speedq/formats"
import { type Backend, type Shape, type Tensor, tensor } from "../src/index.ts"

const root = fileURLToPath(new URL("../../../test/fixtures/", import.meta.url))

export interface Fixture {
  readonly name: string
  readonly shape: (tensor: string) => Shape
  /** The numbers of a tensor; 64-bit integers become 32-bit ones. */
  readonly values: (tensor: string) => Float32Array | Uint8Array | Int32Array
  /** A number of the metadata. */
  readonly setting: (key: string) => number
  readonly load: (backend: Backend, tensor: string) => Tensor
}

/** Opens `folder/name.safetensors` of the fixtures. */
export const openFixture = (folder: string, name: string): Fixture => {
  const store = Safetensors.openSync(`${root}${folder}/${name}.safetensors`)
  const tensors = new Map([...store.tensors].map(([key, info]) => [key, { info, bytes: store.read(key) }]))
  const { metadata } = store
  store.close()
  const of = (key: string) => {
    const found = tensors.get(key)
    if (found === undefined) throw new Error(`fixture ${name} has no tensor "${key}"`)
    return found
  }
  const values = (key: string) => {
    const { info, bytes } = of(key)
    if (info.dtype === "F32") return typedView("F32", bytes)
    if (info.dtype === "U8") return bytes
    if (info.dtype === "I64") return Int32Array.from(typedView("I64", bytes), Number)
    throw new Error(`fixture ${name}: tensor "${key}" is ${info.dtype}`)
  }
  const shape = (key: string) => of(key).info.shape
  return {
    name,
    shape,
    values,
    setting: (key) => {
      const value = Number(metadata[key])
      if (Number.isNaN(value)) throw new Error(`fixture ${name}: setting "${key}" is ${metadata[key]}`)
      return value
    },
    load: (backend, key) => tensor(backend, values(key), shape(key), of(key).info.dtype === "I64" ? "i32" : "f32")
  }
}

/** Fixtures of a folder whose name starts with `prefix`. */
export const fixturesOf = (folder: string, prefix: string): readonly Fixture[] =>
  readdirSync(`${root}${folder}`)
    .filter((file) => file.startsWith(prefix) && file.endsWith(".safetensors"))
    .map((file) => openFixture(folder, file.slice(0, -".safetensors".length)))
