/**
 * y = x W^T + bias with the weight as codes: w[o, i] = scale[o, i / g] (code[o, i] - zero[o, i / g]). The codes stay packed, so a
 * product of few rows reads no more than they take. Of more rows the native backend decodes a block of the weight into its cache and
 * multiplies that; other backends decode all codes for each few rows, so unpack once there (`prefersCodes`).
 *
 * The weight lies as tiles of four rows (kernels/tiles), a chunk of 16 bytes of codes of each at a time:
 *
 *   codes   u8 [T, chunks, 4, 16]: 64 columns of 2 bits a chunk, or 32 of 4; zeros beyond the last column and row
 *   grid    u8 [T, steps, 4, 1]: scale code + 16 zero, a step a group where groups are whole chunks, else a step a lane (a quarter
 *           of a chunk)
 *   scale   with a step: origin + step (scale code), both f32 [N / sharing, steps]; without one: origin [T, steps, 4, 1], or
 *           [T, chunks, 4 rows, 4 lanes] where steps are lanes, in f32, bf16 or f16
 *
 * x is taken as f32, or as int8: whole numbers of -127 to 127 in steps of max |x| / 127 of each chunk, rounded half to even. The native
 * backend adds up whole numbers within a chunk: those of int8 are the definition's; of few rows in f32 it takes 22 bits and a sign,
 * counted from the largest magnitude of a chunk.
 */
import { apply } from "../../core/apply.ts"
import type { Backend } from "../../core/Backend.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { halves, normals, type SampleRandom, uniforms } from "../operands/samples.ts"
import { expectShape } from "../operands/shapeRules.ts"
import {
  type Activations,
  type CodedExtents,
  fewRowsOfCodes,
  flatShape,
  type LinearCodesAttributes,
  linearCodesExtents,
  tileLayout
} from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"
import { webgpu } from "./webgpu.ts"

type Inputs = "x" | "codes" | "grid" | "origin" | "step" | "bias"

interface Case extends CodedExtents {
  readonly x: Shape
  /** Rows that share a step and an origin. */
  readonly sharing?: number
  /** Of the scales, where each row has its own. */
  readonly scales?: "bf16" | "f16"
  readonly bias?: boolean
}

const cases: readonly Case[] = [
  { x: [16], rows: 1, group: 16, bits: 2 },
  { x: [5, 128], rows: 131, group: 16, bits: 2 },
  { x: [2, 3, 128], rows: 8, group: 64, bits: 2, sharing: 4, bias: true },
  { x: [1, 96], rows: 66, group: 32, bits: 4 },
  { x: [3, 128], rows: 6, group: 64, bits: 4, bias: true },
  { x: [2, 96], rows: 10, group: 32, bits: 4, scales: "f16" },
  { x: [1, 48], rows: 7, group: 16, bits: 2, scales: "bf16", bias: true },
  { x: [2, 256], rows: 32, group: 32, bits: 4, sharing: 16 },
  { x: [0, 16], rows: 3, group: 8, bits: 4, bias: true },
  { x: [2, 48], rows: 5, group: 24, bits: 4, bias: true },
  { x: [2, 96], rows: 16, group: 32, bits: 2, sharing: 8, bias: true },
  { x: [1, 48], rows: 16, group: 16, bits: 2, sharing: 16, bias: true },
  { x: [2, 48], rows: 7, group: 48, bits: 2, bias: true },
  { x: [11, 96], rows: 10, group: 32, bits: 4, scales: "f16", bias: true },
  { x: [9, 128], rows: 20, group: 16, bits: 2, sharing: 4 },
  { x: [17, 128], rows: 6, group: 64, bits: 2, scales: "bf16" }
]

const sample = (
  random: SampleRandom,
  { x, sharing, scales, bias = false, ...extents }: Case,
  activations: Activations
) => {
  const { rows, bits, group } = extents
  const layout = tileLayout(extents, x.at(-1)!)
  const { tiles, chunks, steps } = layout
  const bytes = (shape: Shape, most: (at: number) => number) => ({
    shape,
    dtype: "u8" as const,
    values: Uint8Array.from({ length: sizeOf(shape) }, (_, at) => Math.floor(random.nextUniform() * most(at)))
  })
  const zeros = 2 ** bits
  const grid = bytes([tiles, steps, 4, 1], () => zeros)
  for (const at of grid.values.keys()) grid.values[at] = 16 * grid.values[at]! + Math.floor(16 * random.nextUniform())
  const origins = sharing ? [rows / sharing, steps] : flatShape(layout)
  return {
    name: `${x.join("x")} to ${rows}, ${bits} bits g${group}${sharing ? ` by ${sharing}` : ""}${scales ? ` of ${scales}` : ""}, ${activations}${bias ? " with bias" : ""}`,
    inputs: {
      x: normals(random, x),
      codes: bytes([tiles, chunks, 4, 16], () => 256),
      grid,
      origin: scales ? halves(random, origins, scales, 0.01) : uniforms(random, origins, 0.01, 0.02),
      ...(sharing ? { step: uniforms(random, origins, 0.001, 0.002) } : {}),
      ...(bias ? { bias: normals(random, [rows]) } : {})
    },
    attributes: { ...extents, activations }
  }
}

export const linearCodesKernel = defineKernel<Inputs, "y", LinearCodesAttributes>({
  name: "linearCodes",
  inputs: {
    x: { dtypes: ["f32"] },
    codes: { dtypes: ["u8"] },
    grid: { dtypes: ["u8"] },
    origin: { dtypes: ["f32", "bf16", "f16"] },
    step: { dtypes: ["f32"], optional: true },
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
  cost: ({ inputs: { codes, grid, origin, x }, outputs: { y } }) => ({
    flops: 2 * sizeOf(y) * x.at(-1)!,
    bytes: sizeOf(codes) + sizeOf(grid) + 4 * (sizeOf(origin) + sizeOf(x) + sizeOf(y))
  }),
  samples: (random) =>
    (["f32", "int8"] as const).flatMap((activations) => cases.map((each) => sample(random, each, activations))),
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/** A weight [N, K] as tiles of codes. */
export interface CodedWeight extends CodedExtents {
  readonly codes: Tensor
  readonly grid: Tensor
  readonly origin: Tensor
  readonly step?: Tensor | undefined
}

/**
 * Whether a product of so many rows of x takes less time with codes than with the weight unpacked: it does for few rows, and on the native
 * backend for any number, as long as factors are not rounded.
 */
export const prefersCodes = ({ kind, arithmetic }: Backend, rows: number): boolean =>
  rows <= fewRowsOfCodes || (kind === "native" && arithmetic === "f32")

/**
 * x W^T + bias: x [..., K], bias [N] -> [..., N]. On the native backend the bits of few rows are the same in each build, on any number of
 * threads and for a row alone; those of more are a product's (linear), in which blocks of 1024 inputs are added up one after the other.
 */
export const linearCodes = (
  x: Tensor,
  { codes, grid, origin, step, bits, rows, group }: CodedWeight,
  { bias, activations = "f32" }: { readonly bias?: Tensor | undefined; readonly activations?: Activations } = {}
): Tensor => apply(linearCodesKernel, { x, codes, grid, origin, step, bias }, { bits, rows, group, activations }).y
