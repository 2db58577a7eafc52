/**
 * Start of AdaRound (docs/method.md, "Soft rounding"): alpha at which the soft rounding h(alpha) equals the fraction
 * that rounding down drops.
 */
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { perWeight } from "../backends/gpujs/groups.ts"
import { divided, quotient } from "../backends/gpujs/numbers.ts"
import type { NativeBody } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { adaroundStretch } from "./adaroundWeight/geometry.ts"
import { groupWidth } from "./groups/extents.ts"
import { groupOperands } from "./groups/groupOperands.ts"
import { normals } from "./operands/samples.ts"

const f = Math.fround
const { gamma, zeta } = adaroundStretch

/** alpha = -ln((zeta - gamma) / (rest - gamma) - 1), rest = w / scale - floor(w / scale), the quotient in f32. */
const reference = (
  { weight, scale }: Arrays<"weight" | "scale">,
  { alpha }: Arrays<"alpha">,
  { inputs }: Geometry<"weight" | "scale", "alpha">
): void => {
  const group = inputs.weight[1]! / inputs.scale[1]!
  for (let i = 0; i < alpha.length; i++) {
    const quotient = f(weight[i]! / scale[Math.floor(i / group)]!)
    const rest = quotient - Math.floor(quotient)
    alpha[i] = -Math.log((zeta - gamma) / (rest - gamma) - 1)
  }
}

/** alpha = -ln(range / (rest - least) - 1), rest = w / scale - floor(w / scale). */
function alphaOf(this: Thread, weight: Values, scale: Values, least: number, range: number) {
  const group = quotient(this.thread.x, this.constants.group)
  const steps = divided(
    weight[this.thread.y * this.constants.columns + this.thread.x],
    scale[this.thread.y * this.constants.groups + (group | 0)]
  )
  const rest = steps - Math.floor(steps)
  return -Math.log(range / (rest - least) - 1)
}

const gpujs: GpujsBody<"weight" | "scale", "alpha"> = {
  programs: ({ inputs }) => {
    const group = inputs.weight[1]! / inputs.scale[1]!
    return [
      {
        output: "alpha",
        compute: alphaOf,
        reads: ["weight", "scale"],
        scalars: [gamma, zeta - gamma],
        ...perWeight(inputs.weight, group),
        helpers: [divided, quotient]
      }
    ]
  }
}

const native: NativeBody<"weight" | "scale", "alpha"> = (engine, { inputs: { weight, scale }, outputs: { alpha } }) => {
  const group = weight.shape[1]! / scale.shape[1]!
  const { rows, read, write } = groupOperands(scale, group)
  const operands = [read(weight), read(scale), write(alpha)]
  engine.rows({ entry: "adaroundInitial", rows, operands, scalars: [group] })
}

export const adaroundInitialKernel = defineKernel<"weight" | "scale", "alpha", object>({
  name: "adaroundInitial",
  inputs: { weight: { dtypes: ["f32"] }, scale: { dtypes: ["f32"] } },
  outputs: ["alpha"],
  infer: ({ weight, scale }) => {
    groupWidth("adaroundInitial", ["weight", weight], ["scale", scale])
    return { alpha: { shape: weight } }
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 20 * sizeOf(inputs.weight), bytes: 8 * sizeOf(inputs.weight) }),
  samples: (random) =>
    [
      { rows: 3, columns: 32, groups: 2 },
      { rows: 1, columns: 17, groups: 1 },
      { rows: 0, columns: 8, groups: 2 },
      { rows: 67, columns: 96, groups: 3 }
    ].map(({ rows, columns, groups }) => ({
      name: `${rows}x${columns} in ${groups}`,
      inputs: {
        weight: normals(random, [rows, columns], 0.02),
        scale: {
          shape: [rows, groups],
          values: Float32Array.from({ length: rows * groups }, () => 0.01 * (1 + random.nextUniform()))
        }
      },
      attributes: {}
    })),
  // Near a whole w / scale the fraction loses digits in f32.
  tolerance: { relative: 1e-3, absolute: 1e-3 }
})

/** alpha [N, K] with h(alpha) = w / scale - floor(w / scale), for a weight [N, K] and scales [N, K / g]. */
export const adaroundInitial = (weight: Tensor, scale: Tensor): Tensor =>
  apply(adaroundInitialKernel, { weight, scale }, {}).alpha
