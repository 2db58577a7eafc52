/** y = min(max(w, low), high) with one range a group of columns: applies the result of the clipping search. */
import { apply } from "../apply.ts"
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { limited, quotient } from "../backends/gpujs/numbers.ts"
import { type NativeBody, reading, writing } from "../backends/native/NativeBody.ts"
import { ShapeMismatch } from "../Errors.ts"
import { type Arrays, defineKernel, type Geometry } from "../Kernel.ts"
import { formatShape, sizeOf } from "../Shape.ts"
import type { Tensor } from "../Tensor.ts"
import { normals } from "./samples.ts"
import { expectShape } from "./shapeRules.ts"

/** y[o, k] = clamp(weight[o, k], low[o, k div g], high[o, k div g]) */
const reference = (
  { weight, low, high }: Arrays<"weight" | "low" | "high">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"weight" | "low" | "high", "y">
): void => {
  const group = inputs.weight[1]! / inputs.low[1]!
  for (let i = 0; i < y.length; i++) {
    const range = Math.floor(i / group)
    y[i] = Math.min(Math.max(weight[i]!, low[range]!), high[range]!)
  }
}

function clamped(this: Thread, weight: Values, low: Values, high: Values) {
  const group = quotient(this.thread.x, this.constants.group)
  return limited(
    weight[this.thread.y * this.constants.columns + this.thread.x],
    low[this.thread.y * this.constants.groups + (group | 0)],
    high[this.thread.y * this.constants.groups + (group | 0)]
  )
}

const gpujs: GpujsBody<"weight" | "low" | "high", "y"> = {
  programs: ({ inputs }) => {
    const [rows, columns] = inputs.weight as readonly [number, number]
    const groups = inputs.low[1]!
    return [
      {
        output: "y",
        compute: clamped,
        reads: ["weight", "low", "high"],
        constants: { columns, groups, group: columns / groups },
        extent: [columns, rows],
        helpers: [limited, quotient]
      }
    ]
  }
}

const native: NativeBody = (engine, { inputs: { weight, low, high }, outputs: { y } }) => {
  const group = weight!.shape[1]! / low!.shape[1]!
  engine.rows({
    entry: "clampGroups",
    rows: sizeOf(low!.shape),
    operands: [reading(weight, 4 * group), reading(low, 4), reading(high, 4), writing(y, 4 * group)],
    scalars: [group]
  })
}

export const clampGroupsKernel = defineKernel<"weight" | "low" | "high", "y", object>({
  name: "clampGroups",
  inputs: { weight: { dtypes: ["f32"] }, low: { dtypes: ["f32"] }, high: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ weight, low, high }) => {
    const [rows, columns] = weight
    const groups = low[1]
    if (weight.length !== 2 || low.length !== 2 || low[0] !== rows || !groups || columns! % groups !== 0) {
      throw new ShapeMismatch("clampGroups", "low", `[N, groups] for "weight" ${formatShape(weight)}`, low)
    }
    expectShape("clampGroups", "high", high, low)
    return { y: { shape: weight } }
  },
  reference,
  native,
  gpujs,
  cost: ({ inputs }) => ({ flops: 2 * sizeOf(inputs.weight), bytes: 8 * sizeOf(inputs.weight) }),
  samples: (random) =>
    [
      { rows: 3, columns: 20, groups: 4 },
      { rows: 1, columns: 17, groups: 1 },
      { rows: 0, columns: 8, groups: 2 },
      { rows: 67, columns: 96, groups: 3 }
    ].map(({ rows, columns, groups }) => ({
      name: `${rows}x${columns} in ${groups}`,
      inputs: {
        weight: normals(random, [rows, columns]),
        low: { shape: [rows, groups], values: new Float32Array(rows * groups).fill(-0.5) },
        high: { shape: [rows, groups], values: new Float32Array(rows * groups).fill(0.75) }
      },
      attributes: {}
    })),
  tolerance: { relative: 0, absolute: 0 }
})

/** Clamps every group of `weight` [N, K] to [low, high], both [N, groups]. */
export const clampGroups = (weight: Tensor, low: Tensor, high: Tensor): Tensor =>
  apply(clampGroupsKernel, { weight, low, high }, {}).y
