/**
 * y = x W^T + bias: x [..., K], weight [N, K], bias [N] -> y [..., N]. The weight may be stored as bf16 or f16 (frozen),
 * which is widened as it is read. In the backend's arithmetic. Equal to matmul over the rows of x plus addBroadcast.
 */
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { fewestRows, productLaunches } from "../backends/gpujs/webgpu/products.ts"
import type { WebgpuBody } from "../backends/gpujs/webgpu/WebgpuBody.ts"
import type { NativeBody } from "../backends/native/NativeBody.ts"
import type { Factor } from "../core/Arithmetic.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { reshape } from "../core/reshape.ts"
import { asMatrix, type Shape, sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { columnSums } from "./addBroadcast.ts"
import { matmul } from "./matmul/definition.ts"
import { halves, normals, type SampleRandom } from "./operands/samples.ts"
import { expectAxes, expectRank, expectShape } from "./operands/shapeRules.ts"

/** y[r, n] = bias[n] + sum over k of x[r, k] weight[n, k] */
const reference = (
  { x, weight, bias }: Arrays<"x" | "weight" | "bias">,
  { y }: Arrays<"y">,
  { inputs }: Geometry<"x" | "weight" | "bias", "y">,
  _attributes: object,
  factor: Factor
): void => {
  const [n, k] = [inputs.weight[0]!, inputs.weight[1]!]
  for (let i = 0; i < y.length; i++) {
    const [row, column] = [Math.floor(i / n), i % n]
    let sum = bias?.[column] ?? 0
    for (let j = 0; j < k; j++) sum += factor(x[row * k + j]!) * factor(weight[column * k + j]!)
    y[i] = sum
  }
}

/** Without a bias its place is taken by another operand, which is not read. */
function affine(this: Thread, x: Values, weight: Values, bias: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.k; i++) {
    sum += x[this.thread.y * this.constants.k + i] * weight[this.thread.x * this.constants.k + i]
  }
  if (this.constants.biased === 1) {
    sum += bias[this.thread.x]
  }
  return sum
}

const gpujs: GpujsBody<"x" | "weight" | "bias", "y"> = {
  programs: ({ inputs }) => {
    const { rows, columns: k } = asMatrix(inputs.x)
    const biased = "bias" in inputs
    return [
      {
        output: "y",
        compute: affine,
        reads: ["x", "weight", biased ? "bias" : "x"],
        constants: { k, biased: Number(biased) },
        extent: [inputs.weight[0]!, rows]
      }
    ]
  }
}

/**
 * Rows of one of x's sequences or pictures, x [B, R, K]: it has the same bits alone and beside others. Tokens of several answers, x
 * [B, 1, K], are multiplied as the rows of one matrix.
 */
const rowsOfOne = (x: Shape): number => {
  const rows = x.at(-2) ?? 1
  return rows > 1 ? rows : asMatrix(x).rows
}

const webgpu: WebgpuBody<"x" | "weight" | "bias", "y"> = {
  launches: (geometry, attributes, matrices) => {
    const { inputs } = geometry
    const { rows: m, columns: k } = asMatrix(inputs.x)
    const rowsAlike = rowsOfOne(inputs.x)
    if (rowsAlike < fewestRows) return gpujs.programs(geometry, attributes)
    const size = { batch: 1, m, rowsAlike, n: inputs.weight[0]!, k }
    const stored = { turnsA: false, turnsB: true, sharedB: true }
    const bias = "bias" in inputs ? "bias" : undefined
    return productLaunches({ ...size, ...stored, a: "x", b: "weight", bias, y: { name: "y" } }, matrices)
  }
}

const native: NativeBody<"x" | "weight", "y", object, "bias"> = (
  engine,
  { inputs: { x, weight, bias }, outputs: { y } }
) => {
  const { rows: m, columns: k } = asMatrix(x.shape)
  engine.product({
    batch: 1,
    m,
    n: weight.shape[0]!,
    k,
    a: { operand: x, transposed: false },
    b: { operand: weight, transposed: true, sharedByBatch: true },
    c: y,
    bias
  })
}

const asRows = (x: Tensor): Tensor => {
  const { rows, columns } = asMatrix(x.shape)
  return reshape(x, [rows, columns])
}

const call = (random: SampleRandom, x: Shape, n: number, bias: boolean) => ({
  name: `${x.join("x")} to ${n}${bias ? " with bias" : ""}`,
  inputs: {
    x: normals(random, x),
    weight: normals(random, [n, x.at(-1)!]),
    ...(bias ? { bias: normals(random, [n]) } : {})
  },
  attributes: {}
})

export const linearKernel = defineKernel<"x" | "weight" | "bias", "y", object>({
  name: "linear",
  inputs: {
    x: { dtypes: ["f32"] },
    weight: { dtypes: ["f32", "bf16", "f16"] },
    bias: { dtypes: ["f32"], optional: true }
  },
  outputs: ["y"],
  infer: ({ x, weight, bias }) => {
    expectRank("linear", "x", x, 1)
    expectAxes("linear", "weight", weight, 2)
    const n = weight[0]!
    expectShape("linear", "weight", weight, [n, x.at(-1)!])
    if (bias !== undefined) expectShape("linear", "bias", bias, [n])
    return { y: { shape: [...x.slice(0, -1), n] } }
  },
  gradient: {
    saves: ({ x, weight }) => ({
      inputs: [...(weight ? (["x"] as const) : []), ...(x ? (["weight"] as const) : [])]
    }),
    backward: ({ saved: { x, weight }, cotangents: { y: dy }, wanted, shapes }) => {
      if (!dy) return {}
      const rows = asRows(dy)
      return {
        x: wanted.x && weight ? reshape(matmul(rows, weight), shapes.inputs.x) : undefined,
        weight: wanted.weight && x ? matmul(rows, asRows(x), true, false) : undefined,
        bias: wanted.bias ? columnSums(rows) : undefined
      }
    }
  },
  reference,
  gpujs,
  webgpu,
  native,
  cost: ({ inputs: { x, weight }, outputs: { y } }) => ({
    flops: 2 * sizeOf(y) * weight[1]!,
    bytes: 4 * (sizeOf(x) + sizeOf(weight) + sizeOf(y))
  }),
  samples: (random) => [
    ...[true, false].flatMap((bias) => [
      call(random, [1], 1, bias),
      call(random, [3, 17], 5, bias),
      call(random, [2, 3, 4], 7, bias),
      call(random, [0, 4], 3, bias),
      call(random, [35, 67], 129, bias)
    ]),
    ...[5, 35].flatMap((rows) =>
      (["bf16", "f16"] as const).map((dtype) => ({
        name: `${dtype}, ${rows} rows`,
        inputs: {
          x: normals(random, [rows, 19]),
          weight: halves(random, [11, 19], dtype),
          bias: normals(random, [11])
        },
        attributes: {}
      }))
    )
  ],
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/** x W^T + bias: x [..., K], weight [N, K] (f32, bf16 or f16), bias [N] -> [..., N]. */
export const linear = (x: Tensor, weight: Tensor, bias?: Tensor): Tensor =>
  apply(linearKernel, { x, weight, bias }, {}).y
