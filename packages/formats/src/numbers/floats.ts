/** Float tensors of any stored precision as float32 and back. */
import { bf16ToF32, f16ToF32, f32ToBf16, f32ToF16 } from "@speedq/tensors"
import { bytesOf, type DType, typedView } from "./DType.ts"

/** The element types that hold real numbers. */
export type FloatDType = Extract<DType, "F64" | "F32" | "F16" | "BF16">

/** Whether `dtype` holds real numbers. */
export const isFloatDType = (dtype: DType): dtype is FloatDType =>
  dtype === "F32" || dtype === "BF16" || dtype === "F16" || dtype === "F64"

/** Stored bytes as float32 [n]: F32 over the same memory (where aligned), F16 and BF16 widened exactly, F64 rounded to nearest even. */
export const decodeFloats = (dtype: FloatDType, bytes: Uint8Array): Float32Array => {
  switch (dtype) {
    case "F32":
      return typedView(dtype, bytes)
    case "BF16":
      return bf16ToF32(typedView(dtype, bytes))
    case "F16":
      return f16ToF32(typedView(dtype, bytes))
    case "F64":
      return new Float32Array(typedView(dtype, bytes))
  }
}

/** float32 [n] as stored bytes: F32 over the same memory, F64 exactly, F16 and BF16 rounded to nearest even. */
export const encodeFloats = (dtype: FloatDType, values: Float32Array): Uint8Array => {
  switch (dtype) {
    case "F32":
      return bytesOf(values)
    case "BF16":
      return bytesOf(f32ToBf16(values))
    case "F16":
      return bytesOf(f32ToF16(values))
    case "F64":
      return bytesOf(Float64Array.from(values))
  }
}
