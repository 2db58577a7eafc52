/** TFLOP/s of products by shape, in f32 and by matrices of f16: as the backend launches them, and by each tile that it could have taken, with their errors. */
import {
  type AnyKernel,
  apply,
  type Backend,
  gatherRows,
  kernels,
  matmul,
  openBackend,
  type Tensor,
  tensor
} from "@speedq/tensors"
import type { Matrices } from "../../packages/tensors/src/backends/gpujs/webgpu/matrices.ts"
import { type MatrixTile, matrixLaunches } from "../../packages/tensors/src/backends/gpujs/webgpu/matrixProducts.ts"
import type { Product } from "../../packages/tensors/src/backends/gpujs/webgpu/Product.ts"
import { productLaunch, tiles } from "../../packages/tensors/src/backends/gpujs/webgpu/products.ts"
import type { WgslLaunch } from "../../packages/tensors/src/backends/gpujs/webgpu/WebgpuBody.ts"
import { normal } from "../measure.ts"
import type { Part } from "./report.ts"
import { type ProductShape, smallShapes, wholeShapes } from "./shapes.ts"
import { millisecondsOf } from "./waiting.ts"
import { type MatrixBackend, withMatrices } from "./withMatrices.ts"

/** Ways to launch a product, by their names. */
type Forms = readonly (readonly [name: string, kernel: AnyKernel])[]

const matmulKernel = kernels.find(({ name }) => name === "matmul") as AnyKernel

type Launches = (product: Product, matrices: Matrices | undefined) => readonly WgslLaunch[]

/** The product by these launches, whatever the table would take. */
const launchedBy = (launches: Launches): AnyKernel => ({
  ...matmulKernel,
  webgpu: {
    launches: ({ inputs, outputs }, attributes, matrices) => {
      const { transposeA: turnsA, transposeB: turnsB } = attributes as ProductShape
      const [m, n] = outputs.y as readonly [number, number]
      const k = inputs.a![turnsA ? 0 : 1]!
      const size = { batch: 1, m, n, k, sharedB: true }
      return launches({ ...size, turnsA, turnsB, a: "a", b: "b", y: { name: "y" } }, matrices)
    }
  }
})

const inSingle: Forms = tiles.map((tile) => [
  `tile ${tile.extent}`,
  launchedBy((product) => [productLaunch(product, tile)])
])

const byMatrices = (extent: MatrixTile): Forms[number] => [
  `tile ${extent}`,
  launchedBy((product, matrices) => matrixLaunches(product, matrices!, extent))
]
const matrixForms: { readonly [K in MatrixBackend]: Forms } = {
  "gpujs:webgpu+f16": [byMatrices(64), byMatrices(128)],
  "gpujs:webgpu+f16x3": [byMatrices(64)]
}

/** Largest error of some elements of y = op(a) op(b), over the sum of magnitudes that went into each. */
const errorOf = async (y: Tensor, a: Tensor, b: Tensor, { m, k, n, transposeA, transposeB }: ProductShape) => {
  const rows = [0, Math.floor(m / 2), m - 1]
  const index = tensor(y.backend, rows, [rows.length], "i32")
  const picked = gatherRows(y, index)
  const [values, left, right] = [await picked.read(), await a.read(), await b.read()]
  let worst = 0
  for (const [i, row] of rows.entries()) {
    for (let column = 0; column < n; column += Math.ceil(n / 37)) {
      let [sum, size] = [0, 0]
      for (let t = 0; t < k; t++) {
        const term =
          left[transposeA ? t * m + row : row * k + t]! * right[transposeB ? column * k + t : t * n + column]!
        sum += term
        size += Math.abs(term)
      }
      worst = Math.max(worst, Math.abs(values[i * n + column]! - sum) / size)
    }
  }
  for (const each of [index, picked]) each.release()
  return worst
}

/** How often a product runs in a row: about a fifth of a second of a GPU of 25 TFLOP/s. */
const runsOf = (flops: number): number => Math.max(1, Math.min(200, Math.ceil(5e12 / flops)))

const productRows = async (
  backend: Backend,
  forms: Forms,
  shape: ProductShape,
  small: boolean,
  print: Parameters<Part>[0]
) => {
  const { m, k, n, transposeA, transposeB } = shape
  const a = normal(backend, transposeA ? [k, m] : [m, k])
  const b = normal(backend, transposeB ? [n, k] : [k, n], 1, 2)
  const flops = 2 * m * k * n
  const row = async (kind: string, product: () => Tensor) => {
    try {
      const ms = await millisecondsOf(backend, small ? 1 : runsOf(flops), () => product().release())
      const y = product()
      print({ ...shape, kind, ms, teraflops: flops / ms / 1e9, error: await errorOf(y, a, b, shape) })
      y.release()
    } catch (error) {
      print({ ...shape, kind, failed: String(error) })
    }
  }
  await row("as launched", () => matmul(a, b, transposeA, transposeB))
  for (const [form, kernel] of forms) {
    await row(form, () => apply(kernel, { a, b }, { transposeA, transposeB }).y!)
  }
  for (const each of [a, b]) each.release()
}

export const products: Part = async (print, size) => {
  const backend = await openBackend("gpujs:webgpu")
  const small = size === "small"
  for (const shape of small ? smallShapes : wholeShapes) await productRows(backend, inSingle, shape, small, print)
  await backend.close()
}

/** The same by matrices of f16, one term and three, where the adapter has them. */
export const matrixProducts: Part = async (print, size) => {
  const small = size === "small"
  await withMatrices(print, async (backend, mode) => {
    for (const shape of small ? smallShapes : wholeShapes) {
      await productRows(backend, matrixForms[mode], shape, small, (row) => print({ backend: mode, ...row }))
    }
  })
}
