/** The largest probability of every row: confidence[r] = max_v softmax(logits[r])[v]. logits [R, V] -> [R]. */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { type Shape, sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { normals } from "../samples.ts"
import { expectAxes } from "../shapeRules.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

const shapes: readonly Shape[] = [
  [1, 1],
  [3, 17],
  [0, 5],
  [4, 4099]
]

export const confidenceRowsKernel = defineKernel<"logits", "confidence", object>({
  name: "confidenceRows",
  inputs: { logits: { dtypes: ["f32"] } },
  outputs: ["confidence"],
  infer: ({ logits }) => {
    expectAxes("confidenceRows", "logits", logits, 2)
    return { confidence: { shape: [logits[0]!] } }
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 10 * sizeOf(inputs.logits), bytes: 4 * sizeOf(inputs.logits) }),
  samples: (random) =>
    shapes.map((shape) => ({ name: shape.join("x"), inputs: { logits: normals(random, shape, 4) }, attributes: {} }))
})

/** Largest probability of each row of logits [R, V] -> [R]. */
export const confidenceRows = (logits: Tensor): Tensor => apply(confidenceRowsKernel, { logits }, {}).confidence
