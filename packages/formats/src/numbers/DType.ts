/** Element types of the safetensors format, their sizes, and typed arrays over their little-endian bytes. */

/** The typed array of each element type; F16 and BF16 are raw 16-bit patterns, BOOL is 0 or 1. */
interface TypedArrays {
  readonly BOOL: Uint8Array
  readonly U8: Uint8Array
  readonly I8: Int8Array
  readonly I16: Int16Array
  readonly U16: Uint16Array
  readonly F16: Uint16Array
  readonly BF16: Uint16Array
  readonly I32: Int32Array
  readonly U32: Uint32Array
  readonly F32: Float32Array
  readonly F64: Float64Array
  readonly I64: BigInt64Array
  readonly U64: BigUint64Array
}

const isLittleEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1

/** Name of an element type, as the file header spells it. */
export type DType = keyof TypedArrays

/** The typed array that holds elements of `D`. */
export type TypedArrayOf<D extends DType> = TypedArrays[D]

const elements: {
  readonly [D in DType]: {
    readonly BYTES_PER_ELEMENT: number
    new (buffer: ArrayBufferLike, byteOffset: number, length: number): TypedArrays[D]
  }
} = {
  BOOL: Uint8Array,
  U8: Uint8Array,
  I8: Int8Array,
  I16: Int16Array,
  U16: Uint16Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I32: Int32Array,
  U32: Uint32Array,
  F32: Float32Array,
  F64: Float64Array,
  I64: BigInt64Array,
  U64: BigUint64Array
}

/** How files name the element types of tensors in memory. */
export const fileDtype = { f32: "F32", bf16: "BF16", f16: "F16", u8: "U8", i32: "I32" } as const

/** Every element type that this package reads and writes. */
export const dtypes: ReadonlyArray<DType> = Object.keys(elements) as Array<DType>

/** Whether a header's dtype string is one that this package knows. */
export const isDType = (name: string): name is DType => Object.hasOwn(elements, name)

/** Bytes one element of `dtype` takes. */
export const elementBytes = (dtype: DType): number => elements[dtype].BYTES_PER_ELEMENT

/**
 * Bytes of a tensor, or undefined when a product on the way exceeds 2^53 - 1 and is therefore no longer exact.
 * A scalar has shape [].
 */
export const tensorBytes = (dtype: DType, shape: ReadonlyArray<number>): number | undefined => {
  let bytes = 1
  for (const size of [...shape, elementBytes(dtype)]) {
    bytes *= size
    if (!Number.isSafeInteger(bytes)) return undefined
  }
  return bytes
}

/**
 * Elements of `dtype` over the same memory as `bytes`; bytes that do not start at a multiple of the element size are copied.
 * Throws a RangeError when `bytes` is not a whole number of elements, an Error on a big-endian machine.
 *
 * @example typedView("F32", store.read("mlp1.0.weight"))
 */
export const typedView = <D extends DType>(dtype: D, bytes: Uint8Array): TypedArrayOf<D> => {
  const size = elementBytes(dtype)
  if (!isLittleEndian) throw new Error("safetensors bytes are little-endian and this machine is big-endian")
  if (bytes.byteLength % size !== 0) {
    throw new RangeError(`${bytes.byteLength} bytes are not a whole number of ${dtype} elements of ${size} bytes`)
  }
  const { buffer, byteOffset, byteLength } = bytes.byteOffset % size === 0 ? bytes : bytes.slice()
  return new elements[dtype](buffer, byteOffset, byteLength / size)
}

/** The bytes of a typed array, over the same memory. */
export const bytesOf = (array: ArrayBufferView): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength)
