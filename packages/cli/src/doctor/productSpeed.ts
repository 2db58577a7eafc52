/** How fast a backend multiplies matrices: what nearly all the time of training goes to. */
import { type Backend, generate, matmul, noGrad, type Tensor } from "@speedq/tensors"

export interface ProductSpeed {
  readonly gflops: number
  /** The largest product that was measured, [m, k] times [k, n]. */
  readonly m: number
  readonly k: number
  readonly n: number
}

/** From a small one, which any backend can do, to a Linear of InternVL3-1B on 512 tokens. */
const shapes = [
  [64, 64, 64],
  [128, 256, 256],
  [256, 896, 896],
  [512, 896, 4864]
] as const

/** Milliseconds that a shape is measured for, and the time of a product above which no larger one is tried. */
const enough = 150
const slow = 25

const filled = (backend: Backend, rows: number, columns: number): Tensor =>
  generate(backend, { shape: [rows, columns], dtype: "f32" }, (bytes) => {
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, rows * columns)
    for (let i = 0; i < values.length; i++) values[i] = (i % 7) - 3
  })

/** Milliseconds of one product; the first, which may compile or wake threads, is not counted. */
const timeOf = async (a: Tensor, b: Tensor): Promise<number> => {
  const once = async () => {
    const product = noGrad(() => matmul(a, b))
    await product.read()
    product.release()
  }
  await once()
  let best = Number.POSITIVE_INFINITY
  for (let spent = 0; spent < enough; ) {
    const begun = performance.now()
    await once()
    const time = performance.now() - begun
    best = Math.min(best, time)
    spent += time
  }
  return best
}

/** Measures in about half a second; the result of the largest product that did not take too long. */
export const productSpeed = async (backend: Backend): Promise<ProductSpeed> => {
  let result: ProductSpeed | undefined
  for (const [m, k, n] of shapes) {
    const a = filled(backend, m, k)
    const b = filled(backend, k, n)
    const time = await timeOf(a, b)
    a.release()
    b.release()
    result = { gflops: (2 * m * k * n) / (1e6 * time), m, k, n }
    if (time > slow) break
  }
  return result!
}
