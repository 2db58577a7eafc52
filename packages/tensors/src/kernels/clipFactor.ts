/** norm = sqrt(total), factor = min(1, maxNorm / (norm + 1e-6)): clipping by global norm, from the sum of squares of all gradients. */
import { elementwiseProgram } from "../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import type { WebgpuBody, WgslProgram } from "../backends/gpujs/webgpu/WebgpuBody.ts"
import { type NativeBody, reading, writing } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import type { Tensor } from "../core/Tensor.ts"
import { expectAtLeast, expectShape } from "./operands/shapeRules.ts"

interface ClipFactorAttributes {
  readonly maxNorm: number
}

/** norm = sqrt(total), factor = min(1, maxNorm / (norm + 1e-6)); the 1e-6 is PyTorch's guard against a norm of zero. */
const reference = (
  { total }: Arrays<"total">,
  { factor, norm }: Arrays<"factor" | "norm">,
  _geometry: Geometry<"total", "factor" | "norm">,
  { maxNorm }: ClipFactorAttributes
): void => {
  norm[0] = Math.sqrt(total[0]!)
  factor[0] = Math.min(1, maxNorm / (norm[0] + 1e-6))
}

function factorOf(this: Thread, total: Values, maxNorm: number) {
  const factor = maxNorm / (Math.sqrt(total[this.thread.x]) + 1e-6)
  if (factor < 1) {
    return factor
  }
  if (factor >= 1) {
    return 1
  }
  return factor // NaN
}

function normOf(this: Thread, total: Values) {
  return Math.sqrt(total[this.thread.x])
}

const gpujs: GpujsBody<"total", "factor" | "norm", ClipFactorAttributes> = {
  programs: ({ outputs }, { maxNorm }) => [
    elementwiseProgram("factor", factorOf, ["total"], outputs.factor, { scalars: [maxNorm] }),
    elementwiseProgram("norm", normOf, ["total"], outputs.norm)
  ]
}

const program: WgslProgram = {
  reads: ["total"],
  writes: ["factor", "norm"],
  real: ["maxNorm"],
  text: `
@compute @workgroup_size(1)
fn main() {
  let root = sqrt(total[0]);
  let share = p.maxNorm / (root + 1e-6);
  norm[0] = root;
  factor[0] = select(share, 1.0, share >= 1.0); // NaN stays
}`
}

const webgpu: WebgpuBody<"total", "factor" | "norm", ClipFactorAttributes> = {
  launches: (_, { maxNorm }) => [
    {
      program,
      reads: ["total"],
      writes: [{ name: "factor" }, { name: "norm" }],
      real: [maxNorm],
      workgroups: [1, 1, 1]
    }
  ]
}

const native: NativeBody<"total", "factor" | "norm", ClipFactorAttributes> = (
  engine,
  { inputs: { total }, outputs: { factor, norm }, attributes }
) => {
  const { maxNorm } = attributes
  const operands = [reading(total, 4), writing(factor, 4), writing(norm, 4)]
  engine.rows({ entry: "clipFactor", rows: 1, operands, scalars: [maxNorm] })
}

export const clipFactorKernel = defineKernel<"total", "factor" | "norm", ClipFactorAttributes>({
  name: "clipFactor",
  inputs: { total: { dtypes: ["f32"] } },
  outputs: ["factor", "norm"],
  infer: ({ total }, { maxNorm }) => {
    expectShape("clipFactor", "total", total, [1])
    expectAtLeast("clipFactor", "maxNorm", maxNorm, 0)
    return { factor: { shape: [1] }, norm: { shape: [1] } }
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: () => ({ flops: 4, bytes: 12 }),
  samples: () =>
    [0, 1e-14, 0.25, 1, 9, 1e12].map((total) => ({
      name: `total ${total}`,
      inputs: { total: { shape: [1], values: [total] } },
      attributes: { maxNorm: 1 }
    }))
})

/** The norm [1] of gradients whose squares sum to `total` [1], and the factor [1], at most 1, that brings it down to `maxNorm`. */
export const clipFactor = (total: Tensor, maxNorm: number): { readonly factor: Tensor; readonly norm: Tensor } =>
  apply(clipFactorKernel, { total }, { maxNorm })
