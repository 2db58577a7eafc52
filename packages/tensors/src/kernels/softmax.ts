/** Softmax over the last axis: y = exp(x - max) / sum of exp(x - max). */
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { power } from "../backends/gpujs/numbers.ts"
import { mostOfRows, sumRows } from "../backends/gpujs/reductions.ts"
import { inRows, type WebgpuBody, type WgslProgram } from "../backends/gpujs/webgpu/WebgpuBody.ts"
import { exponentials } from "../backends/gpujs/webgpu/wgslNumbers.ts"
import { across, largestOverColumns, overColumns, rowwise } from "../backends/gpujs/webgpu/wgslText.ts"
import { type NativeBody, reading, writing } from "../backends/native/NativeBody.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { asMatrix, sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { normals, rowShapes, uniforms } from "./operands/samples.ts"
import { expectRank, expectSame } from "./operands/shapeRules.ts"

/** y = exp(x - max) / sum exp(x - max), row by row */
const reference = ({ x }: Arrays<"x">, { y }: Arrays<"y">, { inputs }: Geometry<"x", "y">): void => {
  const columns = inputs.x.at(-1)!
  for (let start = 0; start < x.length; start += columns) {
    const row = x.subarray(start, start + columns)
    const shift = Math.max(...row)
    const powers = row.map((value) => Math.exp(value - shift))
    const total = powers.reduce((sum, power) => sum + power, 0)
    for (let c = 0; c < columns; c++) y[start + c] = powers[c]! / total
  }
}

/** dx = y (dy - sum of y dy), row by row */
const referenceGradient = (
  { y, dy }: Arrays<"y" | "dy">,
  { dx }: Arrays<"dx">,
  { inputs }: Geometry<"y" | "dy", "dx">
): void => {
  const columns = inputs.y.at(-1)!
  for (let start = 0; start < y.length; start += columns) {
    let inner = 0
    for (let i = start; i < start + columns; i++) inner += y[i]! * dy[i]!
    for (let i = start; i < start + columns; i++) dx[i] = y[i]! * (dy[i]! - inner)
  }
}

/** Sum of exp(x - most) of one part of a row. */
export function sumOfPowers(this: Thread, x: Values, most: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      sum += power(
        x[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x] - most[this.thread.y]
      )
    }
  }
  return sum
}

function probability(this: Thread, x: Values, most: Values, total: Values) {
  return power(x[this.thread.y * this.constants.columns + this.thread.x] - most[this.thread.y]) / total[this.thread.y]
}

function sumOfProducts(this: Thread, y: Values, dy: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      sum +=
        y[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x] *
        dy[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x]
    }
  }
  return sum
}

function slope(this: Thread, y: Values, dy: Values, inner: Values) {
  return (
    y[this.thread.y * this.constants.columns + this.thread.x] *
    (dy[this.thread.y * this.constants.columns + this.thread.x] - inner[this.thread.y])
  )
}

const gpujs: GpujsBody<"x", "y"> = {
  programs: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.x)
    return [
      ...mostOfRows("most", "x", { rows, columns }),
      ...sumRows({ output: "total", part: sumOfPowers, reads: ["x", "most"], rows, columns, helpers: [power] }),
      {
        output: "y",
        compute: probability,
        reads: ["x", "most", "total"],
        constants: { columns },
        extent: [columns, rows],
        helpers: [power]
      }
    ]
  }
}

const gpujsGradient: GpujsBody<"y" | "dy", "dx"> = {
  programs: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.y)
    return [
      ...sumRows({ output: "inner", part: sumOfProducts, reads: ["y", "dy"], rows, columns }),
      { output: "dx", compute: slope, reads: ["y", "dy", "inner"], constants: { columns }, extent: [columns, rows] }
    ]
  }
}

const forward: WgslProgram = {
  reads: ["x"],
  writes: ["y"],
  whole: ["rows", "columns"],
  text: `${across}${exponentials}${rowwise(`
  ${largestOverColumns("most", "x[i]")}
  var sum = 0.0;
  ${overColumns("sum += power(x[i] - most);")}
  let total = sumAcross(sum, lane);
  ${overColumns("y[i] = power(x[i] - most) / total;")}`)}`
}

const backward: WgslProgram = {
  reads: ["y", "dy"],
  writes: ["dx"],
  whole: ["rows", "columns"],
  text: `${across}${rowwise(`
  var sum = 0.0;
  ${overColumns("sum += y[i] * dy[i];")}
  let inner = sumAcross(sum, lane);
  ${overColumns("dx[i] = y[i] * (dy[i] - inner);")}`)}`
}

const webgpu: WebgpuBody<"x", "y"> = {
  launches: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.x)
    const workgroups = inRows(rows)
    return [{ program: forward, reads: ["x"], writes: [{ name: "y" }], whole: [rows, columns], workgroups }]
  }
}

const webgpuGradient: WebgpuBody<"y" | "dy", "dx"> = {
  launches: ({ inputs }) => {
    const { rows, columns } = asMatrix(inputs.y)
    const workgroups = inRows(rows)
    return [{ program: backward, reads: ["y", "dy"], writes: [{ name: "dx" }], whole: [rows, columns], workgroups }]
  }
}

const native: NativeBody<"x", "y"> = (engine, { inputs: { x }, outputs: { y } }) => {
  const { rows, columns } = asMatrix(x.shape)
  const operands = [reading(x, 4 * columns), writing(y, 4 * columns)]
  engine.rows({ entry: "softmax", rows, operands, scalars: [columns] })
}

const nativeGradient: NativeBody<"y" | "dy", "dx"> = (engine, { inputs: { y, dy }, outputs: { dx } }) => {
  const { rows, columns } = asMatrix(y.shape)
  const operands = [reading(y, 4 * columns), reading(dy, 4 * columns), writing(dx, 4 * columns)]
  engine.rows({ entry: "softmaxGradient", rows, operands, scalars: [columns] })
}

export const softmaxKernel = defineKernel<"x", "y", object>({
  name: "softmax",
  inputs: { x: { dtypes: ["f32"] } },
  outputs: ["y"],
  infer: ({ x }) => {
    expectRank("softmax", "x", x, 1)
    return { y: { shape: x } }
  },
  gradient: {
    saves: { outputs: ["y"] },
    backward: ({ saved: { y }, cotangents: { y: dy } }) => ({ x: apply(softmaxGradientKernel, { y, dy }, {}).dx })
  },
  reference,
  native,
  gpujs,
  webgpu,
  cost: ({ inputs }) => ({ flops: 12 * sizeOf(inputs.x), bytes: 8 * sizeOf(inputs.x) }),
  samples: (random) => [
    ...rowShapes.map((shape) => ({ name: shape.join("x"), inputs: { x: normals(random, shape, 3) }, attributes: {} })),
    { name: "far apart", inputs: { x: normals(random, [3, 17], 200) }, attributes: {} }
  ]
})

export const softmaxGradientKernel = defineKernel<"y" | "dy", "dx", object>({
  name: "softmaxGradient",
  inputs: { y: { dtypes: ["f32"] }, dy: { dtypes: ["f32"] } },
  outputs: ["dx"],
  infer: ({ y, dy }) => {
    expectRank("softmaxGradient", "y", y, 1)
    expectSame("softmaxGradient", "dy", dy, "y", y)
    return { dx: { shape: y } }
  },
  reference: referenceGradient,
  native: nativeGradient,
  gpujs: gpujsGradient,
  webgpu: webgpuGradient,
  cost: ({ inputs }) => ({ flops: 4 * sizeOf(inputs.y), bytes: 12 * sizeOf(inputs.y) }),
  samples: (random) =>
    rowShapes.map((shape) => ({
      name: shape.join("x"),
      inputs: { y: uniforms(random, shape, 0, 2 / Math.max(1, shape.at(-1)!)), dy: normals(random, shape) },
      attributes: {}
    }))
})

/** Softmax over the last axis. */
export const softmax = (x: Tensor): Tensor => apply(softmaxKernel, { x }, {}).y
