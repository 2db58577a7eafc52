/** The largest probability of every row: confidence[r] = max_v softmax(logits[r])[v]. logits [R, V] -> [R]. */
import { elementwiseProgram } from "../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { power } from "../backends/gpujs/numbers.ts"
import { mostOfRows, sumRows } from "../backends/gpujs/reductions.ts"
import { type NativeBody, reading, writing } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { type Shape, sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { normals } from "./operands/samples.ts"
import { expectAxes } from "./operands/shapeRules.ts"
import { sumOfPowers } from "./softmax.ts"

/** confidence = 1 / sum_v exp(logits[v] - max): the numerator of the largest is 1 */
const reference = (
  { logits }: Arrays<"logits">,
  { confidence }: Arrays<"confidence">,
  { inputs }: Geometry<"logits", "confidence">
): void => {
  const vocabulary = inputs.logits[1]!
  for (let row = 0; row < confidence.length; row++) {
    const x = logits.subarray(row * vocabulary, (row + 1) * vocabulary)
    const most = x.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY)
    confidence[row] = 1 / x.reduce((sum, value) => sum + Math.exp(value - most), 0)
  }
}

/** 1 / total, and NaN where the total is 0: of a row of -infinity. */
function inverse(this: Thread, total: Values) {
  return total[this.thread.x] / (total[this.thread.x] * total[this.thread.x])
}

const gpujs: GpujsBody<"logits", "confidence"> = {
  programs: ({ inputs, outputs }) => {
    const [rows, columns] = inputs.logits as readonly [number, number]
    return [
      ...mostOfRows("most", "logits", { rows, columns }),
      ...sumRows({ output: "total", part: sumOfPowers, reads: ["logits", "most"], rows, columns, helpers: [power] }),
      elementwiseProgram("confidence", inverse, ["total"], outputs.confidence)
    ]
  }
}

const native: NativeBody<"logits", "confidence"> = (engine, { inputs: { logits }, outputs: { confidence } }) => {
  const [rows, vocabulary] = logits.shape as readonly [number, number]
  const operands = [reading(logits, 4 * vocabulary), writing(confidence, 4)]
  engine.rows({ entry: "confidenceRows", rows, operands, scalars: [vocabulary] })
}

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
