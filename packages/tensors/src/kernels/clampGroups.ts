/** y = min(max(w, low), high) with one range a group of columns: applies the result of the clipping search. */
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { perWeight } from "../backends/gpujs/groups.ts"
import { limited, quotient } from "../backends/gpujs/numbers.ts"
import type { NativeBody } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { groupWidth } from "./groups/extents.ts"
import { groupOperands } from "./groups/groupOperands.ts"
import { normals } from "./operands/samples.ts"
import { expectShape } from "./operands/shapeRules.ts"

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
    const group = inputs.weight[1]! / inputs.low[1]!
    return [
      {
        output: "y",
        compute: clamped,
        reads: ["weight", "low", "high"],
        ...perWeight(inputs.weight, group),
        helpers: [limited, quotient]
      }
    ]
  }
}

const native: NativeBody<"weight" | "low" | "high", "y"> = (
  engine,
  { inputs: { weight, low, high }, outputs: { y } }
) => {
  const group = weight.shape[1]! / low.shape[1]!
  const { rows, read, write } = groupOperands(low, group)
  const operands = [read(weight), read(low), read(high), write(y)]
  engine.rows({ entry: "clampGroups", rows, operands, scalars: [group] })
}

export const clampGroupsKernel = defineKernel<"weight" | "low" | "high", "y", object>({
  name: "clampGroups",
  inputs: { weight: { dtypes: ["f32"] }, low: { dtypes: ["f32"] }, high: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ weight, low, high }) => {
    groupWidth("clampGroups", ["weight", weight], ["low", low])
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
