/** Elements of tensors as the f32 numbers that programs compute with, and back to bytes. */
import { bytesOfArray, type DType, viewAs } from "../../core/DType.ts"
import { InvalidAttribute } from "../../core/Errors.ts"
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../../numbers/halfPrecision.ts"

const exactIntegers = 2 ** 24

/** Each element converted. `from` of a typed array would gather them in a list first, which ends at about 10^8 of them. */
const converted = <T extends Float32Array | Uint16Array>(
  from: ArrayLike<number>,
  into: T,
  convert: (value: number) => number
): T => {
  for (let i = 0; i < from.length; i++) into[i] = convert(from[i]!)
  return into
}

/** The numbers that stored bytes mean. Raises InvalidAttribute for i32 elements that no f32 represents. */
export const toNumbers = (dtype: DType, bytes: Uint8Array): Float32Array => {
  const host = viewAs(dtype, bytes)
  if (host instanceof Float32Array) return host
  if (dtype === "bf16") return converted(host, new Float32Array(host.length), fromBfloat16)
  if (dtype === "f16") return converted(host, new Float32Array(host.length), fromFloat16)
  if (dtype === "i32") {
    const outside = host.find((value) => Math.abs(value) > exactIntegers)
    if (outside !== undefined) {
      throw new InvalidAttribute("tensor", "i32 element", outside, "at most 2^24 in magnitude: gpujs computes in f32")
    }
  }
  return new Float32Array(host)
}

const pattern = (encode: (value: number) => number, notANumber: number) => (value: number) =>
  Number.isNaN(value) ? notANumber : encode(value)

/** The bytes of a tensor of `dtype` with these elements, which it can represent. NaN gets the usual quiet pattern. */
export const toBytes = (dtype: DType, values: Float32Array): Uint8Array => {
  switch (dtype) {
    case "f32":
      return bytesOfArray(values)
    case "i32":
      return bytesOfArray(new Int32Array(values))
    case "u8":
      return bytesOfArray(new Uint8Array(values))
    case "bf16":
      return bytesOfArray(converted(values, new Uint16Array(values.length), pattern(toBfloat16, 0x7fc0)))
    case "f16":
      return bytesOfArray(converted(values, new Uint16Array(values.length), pattern(toFloat16, 0x7e00)))
  }
}
