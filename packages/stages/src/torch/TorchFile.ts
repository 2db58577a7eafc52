/** A file of torch.save (PyTorch 1.6 or later) with its tensors, which are read when they are asked for. Nothing is executed. */
import { mostBytes } from "@speedq/formats"
import { fromBfloat16, fromFloat16, type Shape, sizeOf } from "@speedq/tensors"
import { TorchFileInvalid } from "./TorchFileInvalid.ts"
import { type Pickled, type PickledTensor, PickleRefused, unpickle } from "./unpickle.ts"
import { openZip } from "./zipArchive.ts"

interface TorchTensor {
  readonly shape: Shape
  /** "f32", "f16", "bf16", "f64", "i8", "u8", "i16", "i32", "i64" or "bool". */
  readonly dtype: string
  /** All numbers, row-major; of 64-bit integers those that a double holds. Throws TorchFileInvalid. */
  readonly read: () => Float32Array | Float64Array | Int32Array
}

interface TorchFile {
  readonly path: string
  /** Tensors of a dictionary by their keys; other entries are in `values`. */
  readonly tensors: ReadonlyMap<string, TorchTensor>
  /** Plain values of the dictionary. */
  readonly values: ReadonlyMap<string, string | number | boolean | null>
  readonly close: () => void
}

interface Format {
  readonly dtype: string
  readonly bytes: number
  readonly make: (count: number) => Float32Array | Float64Array | Int32Array
  readonly at: (view: DataView, byte: number) => number
}

const single = (count: number) => new Float32Array(count)
const whole = (count: number) => new Int32Array(count)
const formats: { readonly [storage: string]: Format | undefined } = {
  FloatStorage: { dtype: "f32", bytes: 4, make: single, at: (view, byte) => view.getFloat32(byte, true) },
  HalfStorage: { dtype: "f16", bytes: 2, make: single, at: (view, byte) => fromFloat16(view.getUint16(byte, true)) },
  BFloat16Storage: {
    dtype: "bf16",
    bytes: 2,
    make: single,
    at: (view, byte) => fromBfloat16(view.getUint16(byte, true))
  },
  DoubleStorage: {
    dtype: "f64",
    bytes: 8,
    make: (count) => new Float64Array(count),
    at: (view, byte) => view.getFloat64(byte, true)
  },
  CharStorage: { dtype: "i8", bytes: 1, make: whole, at: (view, byte) => view.getInt8(byte) },
  ByteStorage: { dtype: "u8", bytes: 1, make: whole, at: (view, byte) => view.getUint8(byte) },
  BoolStorage: { dtype: "bool", bytes: 1, make: whole, at: (view, byte) => view.getUint8(byte) },
  ShortStorage: { dtype: "i16", bytes: 2, make: whole, at: (view, byte) => view.getInt16(byte, true) },
  IntStorage: { dtype: "i32", bytes: 4, make: whole, at: (view, byte) => view.getInt32(byte, true) },
  LongStorage: {
    dtype: "i64",
    bytes: 8,
    make: (count) => new Float64Array(count),
    at: (view, byte) => Number(view.getBigInt64(byte, true))
  }
}

/** Whether elements follow each other as their indices do. */
const isContiguous = (shape: Shape, stride: readonly number[]): boolean => {
  let expected = 1
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis]! > 1 && stride[axis] !== expected) return false
    expected *= shape[axis]!
  }
  return true
}

/** Opens a file that holds a dictionary. Throws TorchFileInvalid, and the errors of node:fs. */
export const openTorchFile = (path: string): TorchFile => {
  const { entries, close } = openZip(path)
  const fail = (reason: string): never => {
    throw new TorchFileInvalid({ file: path, reason })
  }
  const locate = (suffix: string) => {
    const [name] = [...entries.keys()].filter((candidate) => candidate.replace(/^[^/]*\//, "") === suffix)
    return name === undefined ? fail(`it has no ${suffix}`) : entries.get(name)!
  }

  const tensorOf = ({ storage, key, offset, shape, stride }: PickledTensor): TorchTensor => {
    const format = formats[storage] ?? fail(`it holds a tensor of torch.${storage}, which is not read`)
    const size = sizeOf(shape)
    const read = () => {
      if (size === 0) return format.make(0)
      const entry = locate(`data/${key}`)
      const reach = shape.reduce((sum, extent, axis) => sum + (extent - 1) * stride[axis]!, 1)
      if (Math.max(offset + reach, size) * format.bytes > entry.bytes) {
        fail(`the storage ${key} is smaller than its tensor [${shape.join(", ")}]`)
      }
      const content = entry.read(offset * format.bytes, (offset + reach) * format.bytes)
      const view = new DataView(content.buffer, content.byteOffset, content.byteLength)
      const target = format.make(size)
      if (isContiguous(shape, stride)) {
        for (let i = 0; i < size; i++) target[i] = format.at(view, i * format.bytes)
        return target
      }
      const index = shape.map(() => 0)
      for (let i = 0; i < size; i++) {
        const place = index.reduce((sum, position, axis) => sum + position * stride[axis]!, 0)
        target[i] = format.at(view, place * format.bytes)
        for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0
      }
      return target
    }
    return { shape, dtype: format.dtype, read }
  }

  const readRoot = (): Pickled => {
    const order = [...entries.values()].find(({ name }) => name.endsWith("/byteorder"))
    if (order !== undefined && Buffer.from(order.read()).toString().trim() !== "little") {
      return fail("it was written on a big-endian machine")
    }
    try {
      const pickle = locate("data.pkl")
      if (pickle.bytes > mostBytes.document) {
        fail(`its data.pkl has ${pickle.bytes} bytes, more than the ${mostBytes.document} that are read of one`)
      }
      return unpickle(pickle.read())
    } catch (error) {
      if (error instanceof PickleRefused) return fail(error.message)
      throw error
    }
  }

  try {
    const root = readRoot()
    if (!(root instanceof Map)) return fail("it does not hold a dictionary")
    const tensors = new Map<string, TorchTensor>()
    const values = new Map<string, string | number | boolean | null>()
    for (const [key, value] of root as ReadonlyMap<Pickled, Pickled>) {
      if (typeof key !== "string") return fail("a key of its dictionary is not text")
      if (value === null || typeof value !== "object") values.set(key, value)
      else if ("_tag" in value) tensors.set(key, tensorOf(value))
      else return fail(`its entry "${key}" is neither a tensor nor a plain value`)
    }
    return { path, tensors, values, close }
  } catch (error) {
    close()
    throw error
  }
}
