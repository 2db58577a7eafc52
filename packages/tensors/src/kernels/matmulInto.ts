/**
 * target += a b, or with either operand transposed: the gradient of a weight summed over chunks of rows.
 * Shapes as in matmul; equal to addInto(target, matmul(a, b)) without the product in between.
 */
import { elementwiseProgram } from "../backends/gpujs/elementwiseProgram.ts"
import type { GpujsBody, Thread, Values } from "../backends/gpujs/GpujsBody.ts"
import { fewestRows, productLaunches } from "../backends/gpujs/webgpu/products.ts"
import type { WebgpuBody } from "../backends/gpujs/webgpu/WebgpuBody.ts"
import type { NativeBody } from "../backends/native/NativeBody.ts"
import type { Factor } from "../core/Arithmetic.ts"
import { apply } from "../core/apply.ts"
import type { Arrays } from "../core/Computation.ts"
import type { Geometry } from "../core/Geometry.ts"
import { defineKernel } from "../core/Kernel.ts"
import { sizeOf } from "../core/Shape.ts"
import type { Tensor } from "../core/Tensor.ts"
import { type MatmulAttributes, productSize } from "./matmul/geometry.ts"
import { productProgram } from "./matmul/gpujs.ts"
import { reference as product } from "./matmul/reference.ts"
import { productSamples } from "./operands/productSamples.ts"
import { halves, normals } from "./operands/samples.ts"
import { expectShape } from "./operands/shapeRules.ts"

/** target[m, n] += sum over k of a[m, k] b[k, n] */
const reference = (
  { a, b, target }: Arrays<"a" | "b" | "target">,
  _outputs: Arrays<never>,
  { inputs }: Geometry<"a" | "b" | "target", never>,
  attributes: MatmulAttributes,
  factor: Factor
): void => {
  const y = new Float64Array(target.length)
  product({ a, b }, { y }, { inputs, outputs: { y: inputs.target } }, attributes, factor)
  for (let i = 0; i < y.length; i++) target[i]! += y[i]!
}

function sum(this: Thread, target: Values, product: Values) {
  return target[this.thread.x] + product[this.thread.x]
}

const gpujs: GpujsBody<"a" | "b" | "target", never, MatmulAttributes> = {
  programs: ({ inputs }, attributes) => [
    productProgram("product", productSize("matmulInto", inputs.a, inputs.b, attributes), attributes),
    elementwiseProgram("target", sum, ["target", "product"], inputs.target)
  ]
}

const webgpu: WebgpuBody<"a" | "b" | "target", never, MatmulAttributes> = {
  launches: (geometry, attributes, matrices) => {
    const size = productSize("matmulInto", geometry.inputs.a, geometry.inputs.b, attributes)
    if (size.m < fewestRows) return gpujs.programs(geometry, attributes)
    const { transposeA: turnsA, transposeB: turnsB, arithmetic } = attributes
    const product = { ...size, turnsA, turnsB, a: "a", b: "b", y: { name: "target" }, added: true }
    return productLaunches(product, arithmetic === "f32" ? undefined : matrices)
  }
}

const native: NativeBody<"a" | "b" | "target", never, MatmulAttributes> = (
  engine,
  { inputs: { a, b, target }, attributes }
) => {
  const { transposeA, transposeB, arithmetic } = attributes
  const { sharedB, ...size } = productSize("matmulInto", a.shape, b.shape, attributes)
  engine.product({
    ...size,
    arithmetic,
    a: { operand: a, transposed: transposeA },
    b: { operand: b, transposed: transposeB, sharedByBatch: sharedB },
    c: target,
    accumulate: true
  })
}

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
  webgpu,
  native,
  cost: ({ inputs: { a, b, target } }) => ({
    flops: 2 * sizeOf(target) * (sizeOf(a) / Math.max(1, sizeOf(target.slice(0, -1)))),
    bytes: 4 * (sizeOf(a) + sizeOf(b) + 2 * sizeOf(target))
  }),
  samples: (random) => [
    ...productSamples(
      random,
      [
        { m: 1, k: 1, n: 1, batch: [] },
        { m: 3, k: 17, n: 5, batch: [] },
        { m: 33, k: 19, n: 2, batch: [2, 3] }
      ],
      (product) => ({ target: normals(random, product) })
    ),
    {
      name: "empty sum",
      inputs: { a: normals(random, [3, 0]), b: normals(random, [0, 5]), target: normals(random, [3, 5]) },
      attributes: { transposeA: false, transposeB: false }
    },
    ...[7, 13].map((rows) => ({
      name: `bf16, ${rows} rows`,
      inputs: {
        a: normals(random, [rows, 9]),
        b: halves(random, [9, 11], "bf16"),
        target: normals(random, [rows, 11])
      },
      attributes: { transposeA: false, transposeB: false }
    }))
  ],
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/** Adds a b (operands optionally transposed) to `target` in place; in f32 where the sum is to be exact whatever the backend does. */
export const matmulInto = (
  target: Tensor,
  a: Tensor,
  b: Tensor,
  transposeA = false,
  transposeB = false,
  arithmetic?: "f32"
): void => {
  apply(matmulIntoKernel, { a, b, target }, { transposeA, transposeB, ...(arithmetic ? { arithmetic } : {}) })
}
