/** A fixture file: tensors and metadata that PyTorch wrote. */
import { basename } from "node:path"
import { Safetensors, typedView } from "@speedq/formats"
import { type Backend, type Shape, type Tensor, tensor } from "@speedq/tensors"

export interface Fixture {
  readonly name: string
  readonly path: string
  readonly names: readonly string[]
  readonly meta: Readonly<Record<string, string>>
  /** A number of the metadata; `otherwise` where the fixture does not say. Raises an Error when there is neither. */
  readonly number: (key: string, otherwise?: number) => number
  readonly shape: (name: string) => Shape
  /** Numbers of a tensor; 64-bit integers become doubles. */
  readonly numbers: (name: string) => Float32Array | Float64Array | Uint8Array
  readonly integers: (name: string) => Int32Array
  /** A tensor of the fixture on a backend: floats as f32, integers as i32. */
  readonly load: (backend: Backend, name: string) => Tensor
}

const metadataNumber = (path: string, meta: Fixture["meta"], key: string, otherwise?: number): number => {
  const value = meta[key] === undefined ? otherwise : Number(meta[key])
  if (value === undefined || Number.isNaN(value)) {
    throw new Error(`${path}: metadata "${key}" is ${meta[key] ?? "missing"}, not a number`)
  }
  return value
}

export const readFixture = (path: string): Fixture => {
  const store = Safetensors.openSync(path)
  try {
    const tensors = new Map([...store.tensors].map(([name, info]) => [name, { info, bytes: store.read(name) }]))
    const of = (name: string) => {
      const found = tensors.get(name)
      if (found === undefined) throw new Error(`${path} has no tensor "${name}"`)
      return found
    }
    const numbers = (name: string): Float32Array | Float64Array | Uint8Array => {
      const { info, bytes } = of(name)
      if (info.dtype === "F32" || info.dtype === "F64" || info.dtype === "U8") return typedView(info.dtype, bytes)
      if (info.dtype === "I64") return Float64Array.from(typedView("I64", bytes), Number)
      throw new Error(`${path}: "${name}" is ${info.dtype}`)
    }
    const integers = (name: string) => Int32Array.from(numbers(name))
    const shape = (name: string): Shape => of(name).info.shape
    return {
      name: basename(path, ".safetensors"),
      path,
      names: [...tensors.keys()],
      meta: store.metadata,
      number: (key, otherwise) => metadataNumber(path, store.metadata, key, otherwise),
      shape,
      numbers,
      integers,
      load: (backend, name) =>
        of(name).info.dtype === "F32"
          ? tensor(backend, numbers(name) as Float32Array, shape(name))
          : tensor(backend, integers(name), shape(name), "i32")
    }
  } finally {
    store.close()
  }
}
