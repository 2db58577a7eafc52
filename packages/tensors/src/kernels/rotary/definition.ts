/**
 * Rotary position embedding, half-split (NeoX): with f[j] = position theta^(-2 j / D), j < D/2,
 * y[j] = x[j] cos f[j] - x[j + D/2] sin f[j], y[j + D/2] = x[j + D/2] cos f[j] + x[j] sin f[j].
 * x [B, T, H, D], positions i32 [B, T] -> y [B, T, H, D]. The gradient is the rotation backwards.
 */
import { apply } from "../../core/apply.ts"
import { InvalidAttribute, ShapeMismatch } from "../../core/Errors.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { type Shape, sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { integers, normals } from "../operands/samples.ts"
import { expectAxes, expectShape } from "../operands/shapeRules.ts"
import type { RotaryAttributes } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

const shapes: readonly Shape[] = [
  [1, 1, 1, 2],
  [2, 3, 2, 6],
  [1, 17, 3, 10],
  [1, 0, 2, 4],
  [2, 33, 5, 64]
]

export const rotaryKernel = defineKernel<"x" | "positions", "y", RotaryAttributes>({
  name: "rotary",
  inputs: { x: { dtypes: ["f32"] }, positions: { dtypes: ["i32"] } },
  outputs: ["y"],
  infer: ({ x, positions }, { theta }) => {
    expectAxes("rotary", "x", x, 4)
    if (x[3]! % 2 !== 0) throw new ShapeMismatch("rotary", "x", "an even last axis", x)
    expectShape("rotary", "positions", positions, x.slice(0, 2))
    if (!(theta > 0)) throw new InvalidAttribute("rotary", "theta", theta, "a positive number")
    return { y: { shape: x } }
  },
  gradient: {
    saves: { inputs: ["positions"] },
    backward: ({ saved: { positions }, cotangents: { y: dy }, attributes: { theta, inverse } }) =>
      dy && positions ? { x: rotate(dy, positions, { theta, inverse: !inverse }) } : {}
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 3 * sizeOf(inputs.x), bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) =>
    shapes.flatMap((shape) =>
      [false, true].map((inverse) => ({
        name: `${shape.join("x")}${inverse ? " inverse" : ""}`,
        inputs: { x: normals(random, shape), positions: integers(random, shape.slice(0, 2), 8192) },
        attributes: { theta: 1e6, inverse }
      }))
    )
})

const rotate = (x: Tensor, positions: Tensor, attributes: RotaryAttributes): Tensor =>
  apply(rotaryKernel, { x, positions }, attributes).y

/** Rotates x [B, T, H, D] by positions i32 [B, T]. */
export const rotary = (x: Tensor, positions: Tensor, theta: number): Tensor =>
  rotate(x, positions, { theta, inverse: false })
