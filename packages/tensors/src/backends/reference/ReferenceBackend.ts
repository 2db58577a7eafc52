/** The backend that defines what is right: plain loops, one after the other, f32 tensors held in double precision. */
import type { Arithmetic, Factor } from "../../core/Arithmetic.ts"
import type { Backend } from "../../core/Backend.ts"
import type { Arrays } from "../../core/Computation.ts"
import { bytesOfArray, elementBytes, type HostArray, viewAs } from "../../core/DType.ts"
import type { Geometry } from "../../core/Geometry.ts"
import type { Handle, Operand } from "../../core/Operand.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../../numbers/halfPrecision.ts"

/** Values in double precision whatever the dtype; 16-bit kinds hold the numbers that their patterns mean. */
interface Stored extends Handle {
  readonly values: Float64Array
}

/** Rounds what a kernel computed to what the dtype can store. */
const toHost = ({ dtype, values }: Stored): HostArray => {
  switch (dtype) {
    case "f32":
      return Float32Array.from(values)
    case "i32":
      return Int32Array.from(values)
    case "u8":
      return Uint8Array.from(values)
    case "bf16":
      return Uint16Array.from(values, toBfloat16)
    case "f16":
      return Uint16Array.from(values, toFloat16)
  }
}

const fromHost = (handle: Handle, bytes: Uint8Array, target: Float64Array): void => {
  const host = viewAs(handle.dtype, bytes)
  const decode =
    handle.dtype === "bf16" ? fromBfloat16 : handle.dtype === "f16" ? fromFloat16 : (value: number) => value
  for (let i = 0; i < host.length; i++) target[i] = decode(host[i]!)
}

const collect = <T>(operands: { readonly [name: string]: Operand | undefined }, pick: (operand: Operand) => T) =>
  Object.fromEntries(Object.entries(operands).flatMap(([name, operand]) => (operand ? [[name, pick(operand)]] : [])))

const factors: { readonly [A in Arithmetic]: Factor } = {
  f32: (value) => value,
  bf16: (value) => fromBfloat16(toBfloat16(value))
}

/** Starts the reference backend. It has no threads and nothing to release but its numbers. */
export const makeReferenceBackend = (arithmetic: Arithmetic = "f32"): Backend => {
  let buffers = 0
  let bytes = 0
  let peakBytes = 0
  const inOneArithmetic = (arithmetic: Arithmetic): Backend => ({
    name: arithmetic === "f32" ? "reference" : "reference, bf16",
    kind: "reference",
    arithmetic,
    withArithmetic: (wanted) => backends[wanted],
    allocate: ({ dtype, shape }): Stored => {
      const size = sizeOf(shape)
      const handle = { dtype, shape, bytes: size * elementBytes(dtype), values: new Float64Array(size) }
      buffers++
      bytes += handle.bytes
      peakBytes = Math.max(peakBytes, bytes)
      return handle
    },
    fill: (handle, write) => {
      const buffer = new Uint8Array(handle.bytes)
      write(buffer)
      fromHost(handle, buffer, (handle as Stored).values)
    },
    read: async (handle) => bytesOfArray(toHost(handle as Stored)),
    release: (handle) => {
      buffers--
      bytes -= handle.bytes
    },
    run: (kernel, { inputs, outputs, attributes }) => {
      // A view of leading rows sees less than its storage holds.
      const values = ({ handle, shape }: Operand): Float64Array => (handle as Stored).values.subarray(0, sizeOf(shape))
      const shapeOf = (operand: Operand): Shape => operand.shape
      const geometry: Geometry<string, string> = {
        inputs: collect(inputs, shapeOf),
        outputs: collect(outputs, shapeOf)
      }
      const results: Arrays<string> = collect(outputs, values)
      kernel.reference(collect(inputs, values), results, geometry, attributes, factors[arithmetic])
      // Storage kinds keep only what they can represent.
      for (const { handle } of Object.values(outputs)) {
        if (handle.dtype !== "f32") fromHost(handle, bytesOfArray(toHost(handle as Stored)), (handle as Stored).values)
      }
    },
    trim: () => {},
    usage: () => ({ buffers, bytes, peakBytes }),
    close: async () => {}
  })
  const backends = { f32: inOneArithmetic("f32"), bf16: inOneArithmetic("bf16") }
  return backends[arithmetic]
}

/** The numbers of a tensor of the reference backend in double precision: a view, for finite differences. */
export const doubleValues = (tensor: Tensor): Float64Array =>
  (tensor.storage.handle as Stored).values.subarray(0, tensor.size)
