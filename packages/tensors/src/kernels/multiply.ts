/** y = a b, elementwise, of one shape. */
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

/** y[i] = a[i] b[i] */
const reference = ({ a, b }: Arrays<"a" | "b">, { y }: Arrays<"y">): void => {
  for (let i = 0; i < y.length; i++) y[i] = a[i]! * b[i]!
}

function product(this: Thread, a: Values, b: Values) {
  return a[this.thread.x] * b[this.thread.x]
}

const gpujs: GpujsBody<"a" | "b", "y"> = {
  programs: ({ outputs }) => [elementwiseProgram("y", product, ["a", "b"], outputs.y)]
}

const native = elementwiseBody("multiply", { reads: ["a", "b"], writes: ["y"] })

export const multiplyKernel = defineKernel<"a" | "b", "y", object>({
  name: "multiply",
  inputs: { a: { dtypes: ["f32"] }, b: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ a, b }) => {
    expectSame("multiply", "b", b, "a", a)
    return { y: { shape: a } }
  },
  gradient: {
    saves: ({ a, b }) => ({ inputs: [...(b ? (["a"] as const) : []), ...(a ? (["b"] as const) : [])] }),
    backward: ({ saved: { a, b }, cotangents: { y: dy }, wanted }) => ({
      a: wanted.a && dy && b ? multiply(dy, b) : undefined,
      b: wanted.b && dy && a ? multiply(dy, a) : undefined
    })
  },
  reference,
  native,
  gpujs,
  cost: ({ outputs }) => ({ flops: sizeOf(outputs.y), bytes: 12 * sizeOf(outputs.y) }),
  samples: (random) => elementwiseSamples((shape) => ({ a: normals(random, shape), b: normals(random, shape) }), {})
})

/** a b, elementwise; both of one shape. */
export const multiply = (a: Tensor, b: Tensor): Tensor => apply(multiplyKernel, { a, b }, {}).y
