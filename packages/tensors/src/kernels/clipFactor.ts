/**
 * norm = sqrt(total), factor = min(1, maxNorm / (norm + 1e-6)): clipping by global norm, from the sum of squares of all gradients.
 * factor = -1, which an optimizer takes no step with, where the norm or the loss beside it is not finite, or the factor of the step
 * before was negative: a device can take steps before anybody has seen the numbers of the last one.
 */
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

type Inputs = "total" | "loss" | "before"
type Outputs = "factor" | "norm"

/** The 1e-6 is PyTorch's guard against a norm of zero. */
const reference = (
  { total, loss, before }: Arrays<Inputs>,
  { factor, norm }: Arrays<Outputs>,
  _geometry: Geometry<Inputs, Outputs>,
  { maxNorm }: ClipFactorAttributes
): void => {
  norm[0] = Math.sqrt(total[0]!)
  const isSound = Number.isFinite(norm[0]) && Number.isFinite(loss?.[0] ?? 0) && (before?.[0] ?? 0) >= 0
  factor[0] = isSound ? Math.min(1, maxNorm / (norm[0] + 1e-6)) : -1
}

/** Operands that are absent have `total` in their place. */
function factorOf(this: Thread, total: Values, loss: Values, before: Values, maxNorm: number) {
  const sum = total[this.thread.x]
  let factor = -1
  if (sum >= 0 && sum <= this.constants.largest) {
    factor = Math.min(1, maxNorm / (Math.sqrt(sum) + 1e-6))
  }
  if (this.constants.withLoss === 1) {
    if (!(Math.abs(loss[0]) <= this.constants.largest)) {
      factor = -1
    }
  }
  if (this.constants.withBefore === 1) {
    if (before[0] < 0) {
      factor = -1
    }
  }
  return factor
}

function normOf(this: Thread, total: Values) {
  return Math.sqrt(total[this.thread.x])
}

/** The largest number of 32 bits. */
const largest = (2 - 2 ** -23) * 2 ** 127

const placed = (inputs: object) =>
  (["total", "loss", "before"] as const).map((name) => (name in inputs ? name : "total"))

const gpujs: GpujsBody<Inputs, Outputs, ClipFactorAttributes> = {
  programs: ({ inputs, outputs }, { maxNorm }) => [
    elementwiseProgram("factor", factorOf, placed(inputs), outputs.factor, {
      scalars: [maxNorm],
      constants: { largest, withLoss: Number("loss" in inputs), withBefore: Number("before" in inputs) }
    }),
    elementwiseProgram("norm", normOf, ["total"], outputs.norm)
  ]
}

/** Patterns are compared, as a GPU may take every number to be finite. */
const program: WgslProgram = {
  reads: ["total", "loss", "before"],
  writes: ["factor", "norm"],
  whole: ["withLoss", "withBefore"],
  real: ["maxNorm"],
  text: `
fn isFinite(bits: u32) -> bool { return (bits & 0x7f800000u) != 0x7f800000u; }
@compute @workgroup_size(1)
fn main() {
  let root = sqrt(total[0]);
  let held = !isFinite(bitcast<u32>(total[0])) || (p.withLoss == 1u && !isFinite(bitcast<u32>(loss[0])))
    || (p.withBefore == 1u && before[0] < 0.0);
  norm[0] = root;
  factor[0] = select(min(1.0, p.maxNorm / (root + 1e-6)), -1.0, held);
}`
}

const webgpu: WebgpuBody<Inputs, Outputs, ClipFactorAttributes> = {
  launches: ({ inputs }, { maxNorm }) => [
    {
      program,
      reads: placed(inputs),
      writes: [{ name: "factor" }, { name: "norm" }],
      whole: [Number("loss" in inputs), Number("before" in inputs)],
      real: [maxNorm],
      workgroups: [1, 1, 1]
    }
  ]
}

const native: NativeBody<"total", Outputs, ClipFactorAttributes, "loss" | "before"> = (
  engine,
  { inputs: { total, loss, before }, outputs: { factor, norm }, attributes }
) => {
  const { maxNorm } = attributes
  const operands = [
    reading(total, 4),
    loss && reading(loss, 4),
    before && reading(before, 4),
    writing(factor, 4),
    writing(norm, 4)
  ]
  engine.rows({ entry: "clipFactor", rows: 1, operands, scalars: [maxNorm] })
}

const one = (value: number) => ({ shape: [1], values: [value] })

const totals = [0, 1e-14, 0.25, 1, 9, 1e12]
const { POSITIVE_INFINITY, NaN: notANumber } = Number

export const clipFactorKernel = defineKernel<Inputs, Outputs, ClipFactorAttributes>({
  name: "clipFactor",
  inputs: {
    total: { dtypes: ["f32"] },
    loss: { dtypes: ["f32"], optional: true },
    before: { dtypes: ["f32"], optional: true }
  },
  outputs: ["factor", "norm"],
  infer: ({ total, loss, before }, { maxNorm }) => {
    for (const [name, shape] of Object.entries({ total, loss, before })) {
      if (shape !== undefined) expectShape("clipFactor", name, shape, [1])
    }
    expectAtLeast("clipFactor", "maxNorm", maxNorm, 0)
    return { factor: { shape: [1] }, norm: { shape: [1] } }
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: () => ({ flops: 4, bytes: 20 }),
  samples: () => [
    ...totals.map((total) => ({
      name: `total ${total}`,
      inputs: { total: one(total) },
      attributes: { maxNorm: 1 }
    })),
    ...[POSITIVE_INFINITY, notANumber].map((total) => ({
      name: `total ${total}`,
      inputs: { total: one(total) },
      attributes: { maxNorm: 1 }
    })),
    ...[2, POSITIVE_INFINITY, -POSITIVE_INFINITY, notANumber].flatMap((loss) =>
      [0.5, -1].map((before) => ({
        name: `loss ${loss}, ${before} before`,
        inputs: { total: one(9), loss: one(loss), before: one(before) },
        attributes: { maxNorm: 1 }
      }))
    )
  ]
})

/** What else has to be sound for a step. */
export interface Guards {
  /** [1] */
  readonly loss?: Tensor | undefined
  /** The factor [1] of the step before. */
  readonly before?: Tensor | undefined
}

/**
 * The norm [1] of gradients whose squares sum to `total` [1], and the factor [1], at most 1, that brings it down to `maxNorm`; -1 where
 * no step is to be taken.
 */
export const clipFactor = (
  total: Tensor,
  maxNorm: number,
  { loss, before }: Guards = {}
): { readonly factor: Tensor; readonly norm: Tensor } => apply(clipFactorKernel, { total, loss, before }, { maxNorm })
