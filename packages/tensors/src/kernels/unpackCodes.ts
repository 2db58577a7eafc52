/** Codes of 1 to 8 bits out of a little-endian bit stream: code i is in bits [i b, (i + 1) b). Packed weights are read with it. */
import { elementwiseProgram } from "../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { type NativeBody, shared, writing } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { ShapeMismatch } from "../core/Errors.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { type Shape, sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { expectBits } from "./operands/shapeRules.ts"

/** codes[i] = bits [i b, (i + 1) b) of the stream, lowest bit first. */
const reference = (
  { packed }: Arrays<"packed">,
  { codes }: Arrays<"codes">,
  _geometry: Geometry<"packed", "codes">,
  { bits }: UnpackCodesAttributes
): void => {
  for (let i = 0; i < codes.length; i++) {
    const first = Math.floor((i * bits) / 8)
    const pair = packed[first]! + 256 * (packed[first + 1] ?? 0)
    codes[i] = Math.floor(pair / 2 ** ((i * bits) % 8)) % 2 ** bits
  }
}

/** A code lies within two neighbouring bytes. */
function unpacked(this: Thread, packed: Values) {
  let second = 0
  if (((this.thread.x * this.constants.bits) >> 3) + 1 < this.constants.bytes) {
    second = packed[((this.thread.x * this.constants.bits) >> 3) + 1]
  }
  const pair = packed[(this.thread.x * this.constants.bits) >> 3] + 256 * second
  return ((pair | 0) >> ((this.thread.x * this.constants.bits) & 7)) & this.constants.mask
}

const gpujs: GpujsBody<"packed", "codes", UnpackCodesAttributes> = {
  programs: ({ inputs }, { bits, shape }) => [
    elementwiseProgram("codes", unpacked, ["packed"], shape, {
      constants: { bits, mask: 2 ** bits - 1 },
      sizes: { bytes: inputs.packed[0]! }
    })
  ]
}

const native: NativeBody<"packed", "codes", UnpackCodesAttributes> = (
  engine,
  { inputs: { packed }, outputs: { codes }, attributes }
) => {
  const { bits } = attributes
  const operands = [shared(packed), writing(codes, 1)]
  engine.rows({ entry: "unpackCodes", rows: sizeOf(codes.shape), operands, scalars: [bits, sizeOf(packed.shape)] })
}

interface UnpackCodesAttributes {
  /** Bits of a code. */
  readonly bits: number
  /** Shape of the codes. */
  readonly shape: Shape
}

export const unpackCodesKernel = defineKernel<"packed", "codes", UnpackCodesAttributes>({
  name: "unpackCodes",
  inputs: { packed: { dtypes: ["u8"] } },
  outputs: ["codes"],
  infer: ({ packed }, { bits, shape }) => {
    expectBits("unpackCodes", bits)
    const bytes = Math.ceil((sizeOf(shape) * bits) / 8)
    if (packed.length !== 1 || packed[0] !== bytes) {
      throw new ShapeMismatch("unpackCodes", "packed", `[${bytes}] for ${sizeOf(shape)} codes of ${bits} bits`, packed)
    }
    return { codes: { shape, dtype: "u8" } }
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs, outputs }) => ({ flops: 0, bytes: sizeOf(inputs.packed) + sizeOf(outputs.codes) }),
  samples: (random) =>
    [1, 2, 3, 4, 8].flatMap((bits) =>
      [[1], [3, 17], [2, 64], [0, 4], [67, 261]].map((shape) => ({
        name: `${shape.join("x")} b${bits}`,
        inputs: {
          packed: {
            shape: [Math.ceil((sizeOf(shape) * bits) / 8)],
            dtype: "u8" as const,
            values: Uint8Array.from({ length: Math.ceil((sizeOf(shape) * bits) / 8) }, () => random.nextUniform() * 256)
          }
        },
        attributes: { bits, shape }
      }))
    ),
  tolerance: { relative: 0, absolute: 0 }
})

/** Codes u8 of the given shape from their packed bytes u8 [ceil(count bits / 8)]. */
export const unpackCodes = (packed: Tensor, bits: number, shape: Shape): Tensor =>
  apply(unpackCodesKernel, { packed }, { bits, shape }).codes
