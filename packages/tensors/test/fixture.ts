/** Tensors that PyTorch computed, out of test/fixtures. */
import { readdirSync, readFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
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

interface Entry {
  readonly dtype: string
  readonly shape: Shape
  readonly data_offsets: readonly [number, number]
}

/** Header and data of a safetensors file that is known to be sound: this package cannot import the one that reads any. */
const readSound = (path: string) => {
  const file = readFileSync(path)
  const end = 8 + Number(file.readBigUInt64LE(0))
  const { __metadata__: metadata = {}, ...entries } = JSON.parse(file.toString("utf8", 8, end)) as {
    readonly __metadata__?: { readonly [key: string]: string }
  } & { readonly [name: string]: Entry }
  // Copies, so that each begins at a multiple of its element size.
  const bytesOf = ({ data_offsets: [from, to] }: Entry) => Uint8Array.from(file.subarray(end + from, end + to))
  const tensors = new Map(Object.entries(entries).map(([name, info]) => [name, { info, bytes: bytesOf(info) }]))
  return { metadata, tensors }
}

/** Opens `folder/name.safetensors` of the fixtures. */
export const openFixture = (folder: string, name: string): Fixture => {
  const { metadata, tensors } = readSound(`${root}${folder}/${name}.safetensors`)
  const of = (key: string) => {
    const found = tensors.get(key)
    if (found === undefined) throw new Error(`fixture ${name} has no tensor "${key}"`)
    return found
  }
  const values = (key: string) => {
    const { info, bytes } = of(key)
    if (info.dtype === "F32") return new Float32Array(bytes.buffer)
    if (info.dtype === "U8") return bytes
    if (info.dtype === "I64") return Int32Array.from(new BigInt64Array(bytes.buffer), Number)
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
