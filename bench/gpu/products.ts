/** TFLOP/s of products by shape: as the backend launches them, and by each tile that it could have taken, with their errors. */
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
import { productLaunch, tiles } from "../../packages/tensors/src/backends/gpujs/webgpu/products.ts"
import { normal } from "../measure.ts"
import type { Part } from "./report.ts"
import { type ProductShape, smallShapes, wholeShapes } from "./shapes.ts"
import { millisecondsOf } from "./waiting.ts"

const matmulKernel = kernels.find(({ name }) => name === "matmul") as AnyKernel

/** The product of one launch with that tile, whatever the table would take. */
const withTile = (tile: (typeof tiles)[number]): AnyKernel => ({
  ...matmulKernel,
  webgpu: {
    launches: ({ inputs, outputs }, attributes) => {
      const { transposeA: turnsA, transposeB: turnsB } = attributes as ProductShape
      const [m, n] = outputs.y as readonly [number, number]
      const k = inputs.a![turnsA ? 0 : 1]!
      const size = { batch: 1, m, n, k, sharedB: true }
      return [productLaunch({ ...size, turnsA, turnsB, a: "a", b: "b", y: { name: "y" } }, tile)]
    }
  }
})

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

const productRows = async (backend: Backend, shape: ProductShape, small: boolean, print: Parameters<Part>[0]) => {
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
  for (const tile of tiles) {
    const kernel = withTile(tile)
    await row(`tile ${tile.extent}`, () => apply(kernel, { a, b }, { transposeA, transposeB }).y!)
  }
  for (const each of [a, b]) each.release()
}

export const products: Part = async (print, size) => {
  const backend = await openBackend("gpujs:webgpu")
  const small = size === "small"
  for (const shape of small ? smallShapes : wholeShapes) await productRows(backend, shape, small, print)
  await backend.close()
}
