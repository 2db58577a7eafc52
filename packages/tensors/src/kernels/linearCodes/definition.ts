/**
 * y = x W^T + bias with the weight as codes: w[o, i] = scale[o, i / g] (code[o, i] - zero[o, i / g]). The codes stay packed, so a
 * product of few rows reads no more than they take. Of many rows, unpack once and multiply: each row decodes all codes.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { normals, type SampleRandom, uniforms } from "../operands/samples.ts"
import { expectShape } from "../operands/shapeRules.ts"
import { type LinearCodesAttributes, linearCodesExtents } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"
import { webgpu } from "./webgpu.ts"

export { multipliesCodes } from "./geometry.ts"

type Inputs = "x" | "codes" | "scale" | "zero" | "bias"

interface Case {
  readonly x: readonly number[]
  readonly n: number
  readonly group: number
  readonly bits: number
  readonly bias: boolean
}

const cases: readonly Case[] = [
  { x: [8], n: 1, group: 8, bits: 2, bias: false },
  { x: [1, 48], n: 17, group: 16, bits: 2, bias: true },
  { x: [2, 3, 24], n: 5, group: 24, bits: 4, bias: true },
  { x: [1, 96], n: 66, group: 32, bits: 4, bias: false },
  { x: [5, 128], n: 131, group: 16, bits: 2, bias: false },
  { x: [0, 16], n: 3, group: 8, bits: 4, bias: true }
]

const sample = (random: SampleRandom, { x, n, group, bits, bias }: Case) => {
  const k = x.at(-1)!
  const grid = [n, k / group]
  const bytes = (n * k * bits) / 8
  const whole = (limit: number, count: number) =>
    Float32Array.from({ length: count }, () => Math.floor(random.nextUniform() * limit))
  return {
    name: `${x.join("x")} to ${n}, ${bits} bits g${group}${bias ? " with bias" : ""}`,
    inputs: {
      x: normals(random, x),
      codes: { shape: [bytes], dtype: "u8" as const, values: Uint8Array.from(whole(256, bytes)) },
      scale: uniforms(random, grid, 0.01, 0.02),
      zero: { shape: grid, values: whole(2 ** bits, sizeOf(grid)) },
      ...(bias ? { bias: normals(random, [n]) } : {})
    },
    attributes: { bits }
  }
}

export const linearCodesKernel = defineKernel<Inputs, "y", LinearCodesAttributes>({
  name: "linearCodes",
  inputs: {
    x: { dtypes: ["f32"] },
    codes: { dtypes: ["u8"] },
    scale: { dtypes: ["f32"] },
    zero: { dtypes: ["f32"] },
    bias: { dtypes: ["f32"], optional: true }
  },
  outputs: ["y"],
  infer: (shapes, attributes) => {
    const { n } = linearCodesExtents(shapes, attributes)
    if (shapes.bias !== undefined) expectShape("linearCodes", "bias", shapes.bias, [n])
    return { y: { shape: [...shapes.x.slice(0, -1), n] } }
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: ({ inputs: { codes, scale, x }, outputs: { y } }) => ({
    flops: 2 * sizeOf(y) * x.at(-1)!,
    bytes: sizeOf(codes) + 8 * sizeOf(scale) + 4 * (sizeOf(x) + sizeOf(y))
  }),
  samples: (random) => cases.map((each) => sample(random, each)),
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/** A weight [N, K] as codes. */
export interface PackedCodes extends LinearCodesAttributes {
  /** u8 [N K bits / 8], as in unpackCodes. */
  readonly codes: Tensor
  /** f32 [N, K / g], g a multiple of 8. */
  readonly scale: Tensor
  readonly zero: Tensor
}

/**
 * x W^T + bias: x [..., K], bias [N] -> [..., N]. On the native backend, for `fewRows` or less, the bits of `linear` with the
 * weight in f32.
 */
export const linearCodes = (x: Tensor, { codes, scale, zero, bits }: PackedCodes, bias?: Tensor): Tensor =>
  apply(linearCodesKernel, { x, codes, scale, zero, bias }, { bits }).y
