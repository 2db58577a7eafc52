/**
 * Straight-through gradients of y = scale (code - zero), code = clamp(open, 0, 2^b - 1), open = rne(w / scale + zero), by weight, scale
 * and zero point: rounding passes the gradient on, clamping stops it (arXiv:2407.11062; docs/method.md, "Block-AP").
 *
 *   dweight = [inside] dy,   dscale = sum over the group of dy (code - zero - [inside] w / scale),   dzero = -scale sum of [outside] dy
 *
 * inside: 0 <= open <= 2^b - 1. dy and weight [N, K], scale and zero (whole numbers) [N, K / g]. Sums are in double precision.
 */
import { apply } from "../../core/apply.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { type GridAttributes, gridGroup } from "../gridCodes/geometry.ts"
import { gridCases, gridName, gridOperands } from "../gridCodes/samples.ts"
import { normals } from "../operands/samples.ts"
import { expectSame } from "../operands/shapeRules.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

type Operands = "dy" | "weight" | "scale" | "zero"
type Gradients = "dweight" | "dscale" | "dzero"

export const gridGradientKernel = defineKernel<Operands, Gradients, GridAttributes>({
  name: "gridGradient",
  inputs: {
    dy: { dtypes: ["f32"] },
    weight: { dtypes: ["f32"] },
    scale: { dtypes: ["f32"] },
    zero: { dtypes: ["f32"] }
  },
  outputs: ["dweight", "dscale", "dzero"],
  infer: ({ dy, weight, scale, zero }, attributes) => {
    gridGroup("gridGradient", weight, scale, zero, attributes)
    expectSame("gridGradient", "dy", dy, "weight", weight)
    return { dweight: { shape: weight }, dscale: { shape: scale }, dzero: { shape: zero } }
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 12 * sizeOf(inputs.weight), bytes: 12 * sizeOf(inputs.weight) }),
  samples: (random) =>
    gridCases.map((sample) => {
      const shape = [sample.rows, sample.columns]
      return {
        name: gridName(sample),
        inputs: { dy: normals(random, shape), weight: normals(random, shape, 0.02), ...gridOperands(random, sample) },
        attributes: { bits: sample.bits }
      }
    })
})

/** Gradients by weight [N, K], scale and zero point [N, K / g], out of that by the quantized weight. */
export const gridGradient = (
  operands: { readonly [K in Operands]: Tensor },
  bits: number
): { readonly [K in Gradients]: Tensor } => apply(gridGradientKernel, operands, { bits })
