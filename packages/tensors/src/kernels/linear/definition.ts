/**
 * y = x W^T + bias: x [..., K], weight [N, K], bias [N] -> y [..., N]. The weight may be stored as bf16 or f16 (frozen),
 * which is widened as it is read. Equal to matmul over the rows of x plus addBroadcast.
 */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { reshape } from "../../reshape.ts"
import { asMatrix, type Shape, sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { columnSums } from "../addBroadcast/definition.ts"
import { matmul } from "../matmul/definition.ts"
import { halves, normals, type SampleRandom } from "../samples.ts"
import { expectAxes, expectRank, expectShape } from "../shapeRules.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

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
    ...(["bf16", "f16"] as const).map((dtype) => ({
      name: dtype,
      inputs: { x: normals(random, [5, 19]), weight: halves(random, [11, 19], dtype), bias: normals(random, [11]) },
      attributes: {}
    }))
  ],
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/** x W^T + bias: x [..., K], weight [N, K] (f32, bf16 or f16), bias [N] -> [..., N]. */
export const linear = (x: Tensor, weight: Tensor, bias?: Tensor): Tensor =>
  apply(linearKernel, { x, weight, bias }, {}).y
