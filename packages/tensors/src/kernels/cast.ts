/**
 * Converts between f32, bf16 and f16, rounding to nearest even. Widening is exact.
 * The gradient passes unchanged: exact where nothing is rounded, straight-through where something is.
 */
import { elementwiseProgram } from "../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { roundBfloat16, roundFloat16, roundingHelpers } from "../backends/gpujs/numbers.ts"
import { conversion } from "../backends/gpujs/webgpu/conversion.ts"
import type { WebgpuBody } from "../backends/gpujs/webgpu/WebgpuBody.ts"
import { type NativeBody, reading, writing } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { elementBytes } from "../core/DType.ts"
import { InvalidAttribute } from "../core/Errors.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from "../numbers/halfPrecision.ts"
import { elementwiseShapes, halves, normals } from "./operands/samples.ts"

export type CastTarget = "f32" | "bf16" | "f16"

interface CastAttributes {
  readonly to: CastTarget
}

/** y[i] = the nearest number of the target kind to x[i], ties to even */
const reference = (
  { x }: Arrays<"x">,
  { y }: Arrays<"y">,
  _geometry: Geometry<"x", "y">,
  { to }: CastAttributes
): void => {
  const convert = {
    f32: (value: number) => value,
    bf16: (value: number) => fromBfloat16(toBfloat16(value)),
    f16: (value: number) => fromFloat16(toFloat16(value))
  }[to]
  for (let i = 0; i < y.length; i++) y[i] = convert(x[i]!)
}

function same(this: Thread, x: Values) {
  return x[this.thread.x]
}

function bfloat16Of(this: Thread, x: Values) {
  return roundBfloat16(x[this.thread.x])
}

function float16Of(this: Thread, x: Values) {
  return roundFloat16(x[this.thread.x])
}

const conversions = { f32: same, bf16: bfloat16Of, f16: float16Of }

const gpujs: GpujsBody<"x", "y", CastAttributes> = {
  programs: ({ outputs }, { to }) => [
    elementwiseProgram("y", conversions[to], ["x"], outputs.y, { helpers: roundingHelpers })
  ]
}

const webgpu: WebgpuBody<"x", "y", CastAttributes> = {
  launches: ({ outputs }, { to }) => [conversion(to, sizeOf(outputs.y))]
}

const codes: { readonly [dtype: string]: number } = { f32: 0, bf16: 1, f16: 2 }

const native: NativeBody<"x", "y", CastAttributes> = (engine, { inputs: { x }, outputs: { y } }) => {
  engine.rows({
    entry: "cast",
    rows: sizeOf(x.shape),
    operands: [reading(x, elementBytes(x.dtype)), writing(y, elementBytes(y.dtype))],
    scalars: [codes[x.dtype]!, codes[y.dtype]!]
  })
}

const targets: readonly CastTarget[] = ["f32", "bf16", "f16"]

export const castKernel = defineKernel<"x", "y", CastAttributes>({
  name: "cast",
  inputs: { x: { dtypes: ["f32", "bf16", "f16"] } },
  outputs: ["y"],
  infer: ({ x }, { to }) => {
    if (!targets.includes(to)) throw new InvalidAttribute("cast", "to", to, targets.join(", "))
    return { y: { shape: x, dtype: to } }
  },
  gradient: { saves: {}, backward: ({ cotangents: { y: dy } }) => ({ x: dy }) },
  reference,
  native,
  gpujs,
  webgpu,
  cost: ({ inputs }) => ({ flops: sizeOf(inputs.x), bytes: 6 * sizeOf(inputs.x) }),
  samples: (random) => [
    ...targets.flatMap((to) =>
      elementwiseShapes.map((shape) => ({
        name: `${shape.join("x")} f32 to ${to}`,
        inputs: { x: normals(random, shape) },
        attributes: { to },
        differentiable: to === "f32"
      }))
    ),
    ...(["bf16", "f16"] as const).flatMap((from) =>
      targets.map((to) => ({
        name: `${from} to ${to}`,
        inputs: { x: halves(random, [3, 17], from) },
        attributes: { to },
        differentiable: false
      }))
    ),
    {
      // Ties, the smallest halves and subnormals, the largest half and what rounds past it.
      name: "edges to f16",
      inputs: {
        x: {
          shape: [12],
          values: [
            0,
            -0,
            1.00048828125,
            1.00146484375,
            65504,
            65519,
            65520,
            -65520,
            2 ** -24,
            2 ** -25,
            3 * 2 ** -25,
            2 ** -14
          ]
        }
      },
      attributes: { to: "f16" as const },
      differentiable: false
    },
    {
      name: "edges to bf16",
      inputs: { x: { shape: [6], values: [0, -0, 1.00390625, 1.01171875, 3.4e38, -1e-40] } },
      attributes: { to: "bf16" as const },
      differentiable: false
    }
  ]
})

/** `x` with elements of another kind: f32, bf16 or f16. */
export const cast = (x: Tensor, to: CastTarget): Tensor => apply(castKernel, { x }, { to }).y
