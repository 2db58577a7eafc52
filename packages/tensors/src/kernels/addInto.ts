/** target += x, in place: gradient accumulation. */
import { elementwiseProgram } from "../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { elementwiseBody } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { defineKernel } from "../core/Kernel.ts"
import { sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { elementwiseSamples, normals } from "./operands/samples.ts"
import { expectSame } from "./operands/shapeRules.ts"

/** target[i] += x[i] */
const reference = ({ target, x }: Arrays<"target" | "x">): void => {
  for (let i = 0; i < x.length; i++) target[i]! += x[i]!
}

function sum(this: Thread, target: Values, x: Values) {
  return target[this.thread.x] + x[this.thread.x]
}

const gpujs: GpujsBody<"target" | "x", never> = {
  programs: ({ inputs }) => [elementwiseProgram("target", sum, ["target", "x"], inputs.target)]
}

const native = elementwiseBody("addInto", { updates: ["target"], reads: ["x"] })

export const addIntoKernel = defineKernel<"target" | "x", never, object>({
  name: "addInto",
  inputs: { target: { dtypes: ["f32"], updated: true }, x: { dtypes: ["f32"] } },
  outputs: [],
  infer: ({ target, x }) => {
    expectSame("addInto", "x", x, "target", target)
    return {}
  },
  reference,
  gpujs,
  native,
  cost: ({ inputs }) => ({ flops: sizeOf(inputs.x), bytes: 12 * sizeOf(inputs.x) }),
  samples: (random) =>
    elementwiseSamples((shape) => ({ target: normals(random, shape), x: normals(random, shape) }), {})
})

/** Adds `x` to `target` in place; both of one shape. */
export const addInto = (target: Tensor, x: Tensor): void => {
  apply(addIntoKernel, { target, x }, {})
}
