/**
 * y = a b, or with either operand transposed; leading axes are a batch.
 * a [..., M, K] (or [..., K, M]), b [..., K, N] (or [..., N, K]) -> y [..., M, N]. b may have no batch axes of its own
 * and may be stored as bf16 or f16 (frozen weights), which is widened as it is read.
 */
import { apply } from "../../core/apply.ts"
import { ShapeMismatch } from "../../core/Errors.ts"
import type { Geometry } from "../../core/Geometry.ts"
import { defineKernel } from "../../core/Kernel.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { Tensor } from "../../core/Tensor.ts"
import { productSamples } from "../operands/productSamples.ts"
import { halves, normals } from "../operands/samples.ts"
import { type MatmulAttributes, productSize } from "./geometry.ts"
import { gpujs } from "./gpujs.ts"
import { native } from "./native.ts"
import { reference } from "./reference.ts"
import { webgpu } from "./webgpu.ts"

export const matmulKernel = defineKernel<"a" | "b", "y", MatmulAttributes>({
  name: "matmul",
  inputs: { a: { dtypes: ["f32"] }, b: { dtypes: ["f32", "bf16", "f16"] } },
  outputs: ["y"],
  infer: ({ a, b }, attributes) => {
    const { m, n } = productSize("matmul", a, b, attributes)
    return { y: { shape: [...a.slice(0, -2), m, n] } }
  },
  gradient: {
    saves: (wanted) => ({ inputs: [...(wanted.b ? (["a"] as const) : []), ...(wanted.a ? (["b"] as const) : [])] }),
    // With A = op(a), B = op(b): dA = dY B^T, dB = A^T dY; a transposed operand gets the transposed product.
    backward: ({ saved: { a, b }, cotangents: { y }, wanted, shapes, attributes }) => {
      if (!y) return {}
      const { transposeA, transposeB, arithmetic } = attributes
      const product = (a: Tensor, b: Tensor, turnsA: boolean, turnsB: boolean) =>
        matmul(a, b, turnsA, turnsB, arithmetic)
      const gradientA = (b: Tensor) =>
        transposeA ? product(b, y, transposeB, true) : product(y, b, false, !transposeB)
      const gradientB = (a: Tensor) =>
        transposeB ? product(y, a, true, transposeA) : product(a, y, !transposeA, false)
      if (shapes.inputs.a.length > 2 && shapes.inputs.b.length === 2 && (wanted.b || transposeA)) {
        const expected = "batch axes of its own to be differentiated (linear() shares weights)"
        throw new ShapeMismatch("matmul", "b", expected, shapes.inputs.b)
      }
      return { a: wanted.a && b ? gradientA(b) : undefined, b: wanted.b && a ? gradientB(a) : undefined }
    }
  },
  reference,
  gpujs,
  webgpu,
  native,
  cost: ({ inputs, outputs }: Geometry<"a" | "b", "y">) => ({
    flops: 2 * sizeOf(outputs.y) * (sizeOf(inputs.a) / Math.max(1, sizeOf(outputs.y.slice(0, -1)))),
    bytes: 4 * (sizeOf(inputs.a) + sizeOf(inputs.b) + sizeOf(outputs.y))
  }),
  samples: (random) => [
    ...productSamples(
      random,
      [
        { m: 1, k: 1, n: 1, batch: [] },
        { m: 3, k: 17, n: 5, batch: [] },
        { m: 5, k: 4, n: 33, batch: [2] },
        { m: 33, k: 19, n: 2, batch: [2, 3] },
        { m: 0, k: 3, n: 5, batch: [] },
        { m: 3, k: 0, n: 5, batch: [] },
        { m: 67, k: 65, n: 131, batch: [] }
      ],
      () => ({})
    ),
    ...(["bf16", "f16"] as const).map((dtype) => ({
      name: `${dtype}, one for the batch`,
      inputs: { a: normals(random, [2, 3, 17]), b: halves(random, [17, 5], dtype) },
      attributes: { transposeA: false, transposeB: false }
    })),
    ...(["bf16", "f16"] as const).flatMap((dtype) =>
      [false, true].map((transposeB) => ({
        name: `${dtype}, one for each of the batch${transposeB ? ", turned" : ""}`,
        inputs: { a: normals(random, [2, 11, 17]), b: halves(random, transposeB ? [2, 5, 17] : [2, 17, 5], dtype) },
        attributes: { transposeA: false, transposeB }
      }))
    )
  ],
  tolerance: { relative: 1e-5, absolute: 1e-5 }
})

/**
 * a b with a and b optionally transposed: [..., M, K] x [..., K, N] -> [..., M, N]. In the backend's arithmetic, or in f32 whatever
 * that is.
 */
export const matmul = (a: Tensor, b: Tensor, transposeA = false, transposeB = false, arithmetic?: "f32"): Tensor =>
  apply(matmulKernel, { a, b }, { transposeA, transposeB, ...(arithmetic ? { arithmetic } : {}) }).y
