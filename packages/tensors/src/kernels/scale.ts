/** y = factor x. */
import { elementwiseProgram } from "../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { elementwiseBody } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { elementwiseSamples, normals } from "./operands/samples.ts"

interface ScaleAttributes {
  readonly factor: number
}

/** y[i] = factor x[i] */
const reference = (
  { x }: Arrays<"x">,
  { y }: Arrays<"y">,
  _geometry: Geometry<"x", "y">,
  { factor }: ScaleAttributes
): void => {
  for (let i = 0; i < y.length; i++) y[i] = factor * x[i]!
}

function scaled(this: Thread, x: Values, factor: number) {
  return x[this.thread.x] * factor
}

const gpujs: GpujsBody<"x", "y", ScaleAttributes> = {
  programs: ({ outputs }, { factor }) => [elementwiseProgram("y", scaled, ["x"], outputs.y, { scalars: [factor] })]
}

const native = elementwiseBody("scale", { reads: ["x"], writes: ["y"] }, ({ factor }: ScaleAttributes) => [factor])

export const scaleKernel = defineKernel<"x", "y", ScaleAttributes>({
  name: "scale",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x }) => ({ y: { shape: x } }),
  gradient: {
    saves: {},
    backward: ({ cotangents: { y: dy }, attributes }) => (dy ? { x: scale(dy, attributes.factor) } : {})
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: sizeOf(inputs.x), bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) => elementwiseSamples((shape) => ({ x: normals(random, shape) }), { factor: -0.375 })
})

/** factor x, elementwise. */
export const scale = (x: Tensor, factor: number): Tensor => apply(scaleKernel, { x }, { factor }).y
