/** GELU with the exact error function: y = x Phi(x) = x (1 + erf(x / sqrt 2)) / 2. */
import { elementwiseProgram } from "../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { normalCdf } from "../backends/gpujs/numbers.ts"
import { elementwiseBody } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import { defineKernel } from "../core/Kernel.ts"
import { sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { elementwiseSamples, normals } from "./operands/samples.ts"
import { expectSame } from "./operands/shapeRules.ts"

/**
 * erf to double precision: Maclaurin series below 3, Lentz continued fraction of erfc above.
 * Slow on purpose: this is what the others are measured against.
 */
export const erf = (x: number): number => {
  const z = Math.abs(x)
  if (Number.isNaN(x)) return x
  if (z > 6) return Math.sign(x)
  if (z < 3) {
    let term = x
    let sum = x
    for (let n = 1; Math.abs(term) > 1e-18 * Math.abs(sum); n++) {
      term *= (-x * x) / n
      sum += term / (2 * n + 1)
    }
    return (2 / Math.sqrt(Math.PI)) * sum
  }
  // erfc(z) = exp(-z^2) / (sqrt(pi) (z + (1/2)/(z + 1/(z + (3/2)/(z + ...)))))
  let fraction = z
  for (let n = 60; n >= 1; n--) fraction = z + n / 2 / fraction
  return Math.sign(x) * (1 - Math.exp(-z * z) / (Math.sqrt(Math.PI) * fraction))
}

/** Cumulative distribution of the standard normal. */
const phi = (x: number): number => 0.5 * (1 + erf(x * Math.SQRT1_2))

/** y = x Phi(x) */
const reference = ({ x }: Arrays<"x">, { y }: Arrays<"y">): void => {
  for (let i = 0; i < y.length; i++) y[i] = x[i]! * phi(x[i]!)
}

/** dx = dy (Phi(x) + x exp(-x^2 / 2) / sqrt(2 pi)) */
const referenceGradient = ({ x, dy }: Arrays<"x" | "dy">, { dx }: Arrays<"dx">): void => {
  for (let i = 0; i < dx.length; i++) {
    const density = Math.exp(-0.5 * x[i]! * x[i]!) / Math.sqrt(2 * Math.PI)
    dx[i] = dy[i]! * (phi(x[i]!) + x[i]! * density)
  }
}

const helpers = [normalCdf]

function value(this: Thread, x: Values) {
  return x[this.thread.x] * normalCdf(x[this.thread.x])
}

/** The density is exp(-x^2 / 2) / sqrt(2 pi). */
function slope(this: Thread, x: Values, dy: Values) {
  const at = x[this.thread.x]
  const density = 0.3989422804014327 * Math.exp(-0.5 * at * at)
  return dy[this.thread.x] * (normalCdf(at) + at * density)
}

const gpujs: GpujsBody<"x", "y"> = {
  programs: ({ outputs }) => [elementwiseProgram("y", value, ["x"], outputs.y, { helpers })]
}

const gpujsGradient: GpujsBody<"x" | "dy", "dx"> = {
  programs: ({ outputs }) => [elementwiseProgram("dx", slope, ["x", "dy"], outputs.dx, { helpers })]
}

const native = elementwiseBody("gelu", { reads: ["x"], writes: ["y"] })
const nativeGradient = elementwiseBody("geluGradient", { reads: ["x", "dy"], writes: ["dx"] })

export const geluKernel = defineKernel<"x", "y", object>({
  name: "gelu",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x }) => ({ y: { shape: x } }),
  gradient: {
    saves: { inputs: ["x"] },
    backward: ({ saved: { x }, cotangents: { y: dy } }) =>
      x && dy ? { x: apply(geluGradientKernel, { x, dy }, {}).dx } : {}
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 20 * sizeOf(inputs.x), bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) => elementwiseSamples((shape) => ({ x: normals(random, shape, 3) }), {})
})

export const geluGradientKernel = defineKernel<"x" | "dy", "dx", object>({
  name: "geluGradient",
  inputs: { x: { dtypes: ["f32"] }, dy: { dtypes: ["f32"] } },
  outputs: ["dx"],
  infer: ({ x, dy }) => {
    expectSame("geluGradient", "dy", dy, "x", x)
    return { dx: { shape: x } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  cost: ({ inputs }) => ({ flops: 30 * sizeOf(inputs.x), bytes: 12 * sizeOf(inputs.x) }),
  samples: (random) => elementwiseSamples((shape) => ({ x: normals(random, shape, 3), dy: normals(random, shape) }), {})
})

/** GELU (erf), elementwise. */
export const gelu = (x: Tensor): Tensor => apply(geluKernel, { x }, {}).y
