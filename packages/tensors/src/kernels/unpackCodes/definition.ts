/** Codes of 1 to 8 bits out of a little-endian bit stream: code i is in bits [i b, (i + 1) b). Packed weights are read with it. */
import { apply } from "../../apply.ts"
import { InvalidAttribute, ShapeMismatch } from "../../Errors.ts"
import { defineKernel } from "../../Kernel.ts"
import { type Shape, sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { expectInteger } from "../shapeRules.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

export interface UnpackCodesAttributes {
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
    expectInteger("unpackCodes", "bits", bits, 1)
    if (bits > 8) throw new InvalidAttribute("unpackCodes", "bits", bits, "at most 8")
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
