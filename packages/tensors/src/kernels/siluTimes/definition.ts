/** y = silu(gate) up = gate / (1 + exp(-gate)) up, elementwise: the gate of the decoder's MLP. */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { elementwiseShapes, normals } from "../samples.ts"
import { expectSame } from "../shapeRules.ts"
import { gpujs, gpujsGradient } from "./gpujs.ts"
import { native, nativeGradient } from "./native.ts"
import { reference, referenceGradient } from "./reference.ts"

export const siluTimesKernel = defineKernel<"gate" | "up", "y", object>({
  name: "siluTimes",
  inputs: { gate: { dtypes: ["f32"] }, up: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ gate, up }) => {
    expectSame("siluTimes", "up", up, "gate", gate)
    return { y: { shape: gate } }
  },
  gradient: {
    saves: { inputs: ["gate", "up"] },
    backward: ({ saved: { gate, up }, cotangents: { y: dy } }) => {
      const { dgate, dup } = apply(siluTimesGradientKernel, { gate, up, dy }, {})
      return { gate: dgate, up: dup }
    }
  },
  reference,
  native,
  gpujs,
  cost: ({ outputs }) => ({ flops: 14 * sizeOf(outputs.y), bytes: 12 * sizeOf(outputs.y) }),
  samples: (random) =>
    elementwiseShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { gate: normals(random, shape, 4), up: normals(random, shape) },
      attributes: {}
    }))
})

export const siluTimesGradientKernel = defineKernel<"gate" | "up" | "dy", "dgate" | "dup", object>({
  name: "siluTimesGradient",
  inputs: { gate: { dtypes: ["f32"] }, up: { dtypes: ["f32"] }, dy: { dtypes: ["f32"] } },
  outputs: ["dgate", "dup"],
  infer: ({ gate, up, dy }) => {
    expectSame("siluTimesGradient", "up", up, "gate", gate)
    expectSame("siluTimesGradient", "dy", dy, "gate", gate)
    return { dgate: { shape: gate }, dup: { shape: gate } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  cost: ({ inputs }) => ({ flops: 20 * sizeOf(inputs.gate), bytes: 20 * sizeOf(inputs.gate) }),
  samples: (random) =>
    elementwiseShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { gate: normals(random, shape, 4), up: normals(random, shape), dy: normals(random, shape) },
      attributes: {}
    }))
})

/** silu(gate) up, elementwise; both of one shape. */
export const siluTimes = (gate: Tensor, up: Tensor): Tensor => apply(siluTimesKernel, { gate, up }, {}).y
