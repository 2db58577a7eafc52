/**
 * target += a b, or with either operand transposed: the gradient of a weight summed over chunks of rows.
 * Shapes as in matmul; equal to addInto(target, matmul(a, b)) without the product in between.
 */
import { apply } from "../../apply.ts"
import { defineKernel } from "../../Kernel.ts"
import { sizeOf } from "../../Shape.ts"
import type { Tensor } from "../../Tensor.ts"
import { type MatmulAttributes, productSize } from "../matmul/geometry.ts"
import { halves, normals } from "../samples.ts"
import { expectShape } from "../shapeRules.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"

export const matmulIntoKernel = defineKernel<"a" | "b" | "target", never, MatmulAttributes>({
  name: "matmulInto",
  inputs: {
    a: { dtypes: ["f32"] },
    b: { dtypes: ["f32", "bf16", "f16"] },
    target: { dtypes: ["f32"], updated: true }
  },
  outputs: [],
  infer: ({ a, b, target }, attributes) => {
    const { m, n } = productSize("matmulInto", a, b, attributes)
    expectShape("matmulInto", "target", target, [...a.slice(0, -2), m, n])
    return {}
  },
  reference,
  gpujs,
  native,
  cost: ({ inputs: { a, b, target } }) => ({
    flops: 2 * sizeOf(target) * (sizeOf(a) / Math.max(1, sizeOf(target.slice(0, -1)))),
    bytes: 4 * (sizeOf(a) + sizeOf(b) + 2 * sizeOf(target))
  }),
  samples: (random) => [
    ...[
      { m: 1, k: 1, n: 1, batch: [] },
      { m: 3, k: 17, n: 5, batch: [] },
      { m: 33, k: 19, n: 2, batch: [2, 3] }
    ].flatMap(({ m, k, n, batch }) =>
      [false, true].flatMap((transposeA) =>
        [false, true].map((transposeB) => ({
          name: `${batch.join("x")} ${m}x${k}x${n} ${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`,
          inputs: {
            a: normals(random, [...batch, ...(transposeA ? [k, m] : [m, k])]),
            b: normals(random, [...batch, ...(transposeB ? [n, k] : [k, n])]),
            target: normals(random, [...batch, m, n])
          },
          attributes: { transposeA, transposeB }
        }))
      )
    ),
    {
      name: "empty sum",
      inputs: { a: normals(random, [3, 0]), b: normals(random, [0, 5]), target: normals(random, [3, 5]) },
      attributes: { transposeA: false, transposeB: false }
    },
    {
      name: "bf16",
      inputs: { a: normals(random, [7, 9]), b: halves(random, [9, 11], "bf16"), target: normals(random, [7, 11]) },
      attributes: { transposeA: false, transposeB: false }
    }
  ],
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/** Adds a b (operands optionally transposed) to `target` in place. */
export const matmulInto = (target: Tensor, a: Tensor, b: Tensor, transposeA = false, transposeB = false): void => {
  apply(matmulIntoKernel, { a, b, target }, { transposeA, transposeB })
}
