/** Element types of tensors: f32 is computed with, the others are storage. */

export type DType = "f32" | "bf16" | "f16" | "u8" | "i32"

const bytesOf: { readonly [D in DType]: number } = { f32: 4, bf16: 2, f16: 2, u8: 1, i32: 4 }

/** Bytes one element of `dtype` takes. */
export const elementBytes = (dtype: DType): number => bytesOf[dtype]

/** Host array that holds elements of a dtype; bf16 and f16 are their raw 16-bit patterns. */
export type HostArray = Float32Array | Uint16Array | Uint8Array | Int32Array

/** Views `bytes` as elements of `dtype`, without a copy. `bytes` must start at a multiple of the element size. */
export const viewAs = (dtype: DType, bytes: Uint8Array): HostArray => {
  const { buffer, byteOffset, byteLength } = bytes
  const length = byteLength / elementBytes(dtype)
  switch (dtype) {
    case "f32":
      return new Float32Array(buffer, byteOffset, length)
    case "i32":
      return new Int32Array(buffer, byteOffset, length)
    case "u8":
      return new Uint8Array(buffer, byteOffset, length)
    default:
      return new Uint16Array(buffer, byteOffset, length)
  }
}

/** The raw bytes of a host array, without a copy. */
export const bytesOfArray = (data: HostArray): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
