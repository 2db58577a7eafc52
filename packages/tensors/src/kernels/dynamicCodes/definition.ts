/**
 * Moments of an optimizer in 8 bits by blocks (geometry.ts): dynamicCodes overwrites codes u8 [...] and scales [blocks] with what x [...]
 * is stored as, dynamicValues gives x back.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { normals, type SampleRandom, uniforms } from "../operands/samples.ts"
import { expectSame } from "../operands/shapeRules.ts"
import { blocksOf, type DynamicCodesAttributes, expectBlocks } from "./geometry.ts"
import { gpujs, gpujsValues } from "./gpujs.ts"
import { native, nativeValues } from "./native.ts"
import { reference, referenceValues } from "./reference.ts"
import { webgpu } from "./webgpu.ts"

/** One block, one number, a part of a block, whole blocks, many parts of a task, and none. */
const shapes: readonly Shape[] = [[256], [1], [3, 17], [2, 256], [67, 261], [0, 4]]

const calls = shapes.flatMap((shape) => [true, false].map((signed) => ({ shape, signed })))

const nameOf = (shape: Shape, signed: boolean): string => `${shape.join("x")} ${signed ? "signed" : "unsigned"}`

/** Magnitudes over eight decades, with some zeros. */
const spreadNumbers = (random: SampleRandom, shape: Shape, signed: boolean) => {
  const numbers = Float32Array.from(normals(random, shape).values, (value) => {
    const spread = value * 10 ** (-8 * random.nextUniform())
    return random.nextUniform() < 0.05 ? 0 : signed ? spread : Math.abs(spread)
  })
  return { shape, values: numbers }
}

export const dynamicCodesKernel = defineKernel<"x" | "codes" | "scales", never, DynamicCodesAttributes>({
  name: "dynamicCodes",
  inputs: {
    x: { dtypes: ["f32"] },
    codes: { dtypes: ["u8"], updated: true },
    scales: { dtypes: ["f32"], updated: true }
  },
  outputs: [],
  infer: ({ x, codes, scales }) => {
    expectSame("dynamicCodes", "codes", codes, "x", x)
    expectBlocks("dynamicCodes", scales, codes)
    return {}
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: ({ inputs }) => ({ flops: 10 * sizeOf(inputs.x), bytes: 5 * sizeOf(inputs.x) }),
  samples: (random) =>
    calls.map(({ shape, signed }) => ({
      name: nameOf(shape, signed),
      inputs: {
        x: spreadNumbers(random, shape, signed),
        codes: { shape, dtype: "u8" as const, values: new Uint8Array(sizeOf(shape)) },
        scales: { shape: [blocksOf(shape)], values: new Float32Array(blocksOf(shape)) }
      },
      attributes: { signed }
    })),
  tolerance: { relative: 0, absolute: 0 }
})

export const dynamicValuesKernel = defineKernel<"codes" | "scales", "y", DynamicCodesAttributes>({
  name: "dynamicValues",
  inputs: { codes: { dtypes: ["u8"] }, scales: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ codes, scales }) => {
    expectBlocks("dynamicValues", scales, codes)
    return { y: { shape: codes } }
  },
  reference: referenceValues,
  native: nativeValues,
  gpujs: gpujsValues,
  cost: ({ outputs }) => ({ flops: sizeOf(outputs.y), bytes: 5 * sizeOf(outputs.y) }),
  samples: (random) =>
    calls.map(({ shape, signed }) => ({
      name: nameOf(shape, signed),
      inputs: {
        codes: {
          shape,
          dtype: "u8" as const,
          values: Uint8Array.from({ length: sizeOf(shape) }, () => Math.floor(256 * random.nextUniform()))
        },
        scales: uniforms(random, [blocksOf(shape)], 0, 2)
      },
      attributes: { signed }
    })),
  tolerance: { relative: 0, absolute: 0 }
})

/** Overwrites codes u8 [...] and scales [ceil(size / 256)] with what `x` [...] is in 8 bits. */
export const dynamicCodes = (
  operands: { readonly x: Tensor; readonly codes: Tensor; readonly scales: Tensor },
  attributes: DynamicCodesAttributes
): void => {
  apply(dynamicCodesKernel, operands, attributes)
}

/** The numbers [...] that codes u8 [...] and scales stand for. */
export const dynamicValues = (codes: Tensor, scales: Tensor, attributes: DynamicCodesAttributes): Tensor =>
  apply(dynamicValuesKernel, { codes, scales }, attributes).y
