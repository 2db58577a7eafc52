/**
 * Converts between f32, bf16 and f16, rounding to nearest even. Widening is exact.
 * The gradient passes unchanged: exact where nothing is rounded, straight-through where something is.
 */
import { apply } from "../../apply.ts"
import { InvalidAttribute } from "../../Errors.ts"
import { defineKernel } from "../../Kernel.ts"
import { sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { elementwiseShapes, halves, normals } from "../samples.ts"
import type { CastAttributes, CastTarget } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

const targets: readonly CastTarget[] = ["f32", "bf16", "f16"]

export type { CastTarget } from "./geometry.ts"

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
