/** How fast a backend multiplies matrices: what nearly all the time of training goes to. */
import { noGrad } from "../autodiff/Tape.ts"
import type { Backend } from "../core/Backend.ts"
import { generate, type Tensor, zeros } from "../core/Tensor.ts"
import { matmul } from "../kernels/matmul/definition.ts"

export interface ProductSpeed {
  readonly gflops: number
  /** The largest product that was measured, [m, k] times [k, n]. */
  readonly m: number
  readonly k: number
  readonly n: number
}

/** The speed with its unit, for people. */
export const tellSpeed = ({ gflops }: Pick<ProductSpeed, "gflops">): string =>
  `${gflops >= 10 ? gflops.toFixed(0) : gflops.toPrecision(2)} GFLOP/s`

/** From a small one, which any backend can do, to a Linear of InternVL3-1B on 512 tokens. */
const shapes = [
  [64, 64, 64],
  [128, 256, 256],
  [256, 896, 896],
  [512, 896, 4864]
] as const

/** Milliseconds of a product above which no larger one is tried. */
const slow = 25

const filled = (backend: Backend, rows: number, columns: number): Tensor =>
  generate(backend, { shape: [rows, columns], dtype: "f32" }, (bytes) => {
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, rows * columns)
    for (let i = 0; i < values.length; i++) values[i] = (i % 7) - 3
  })

/** Products that follow each other in one measurement, at most: a GPU is waited for once. */
const mostInARow = 20

/** Milliseconds of one product; the first, which may compile or wake threads, is not counted. */
const timeOf = async (a: Tensor, b: Tensor, enough: number): Promise<number> => {
  const flag = zeros(a.backend, [1])
  /** Milliseconds of one of `count` products in a row. A read comes after all that was begun before it; of a product it would cost as much. */
  const measured = async (count: number): Promise<number> => {
    const begun = performance.now()
    for (let i = 0; i < count; i++) noGrad(() => matmul(a, b)).release()
    await flag.read()
    return (performance.now() - begun) / count
  }
  try {
    await measured(1)
    let best = await measured(1)
    const count = Math.max(1, Math.min(mostInARow, Math.floor(slow / best)))
    for (let spent = best; spent < enough; ) {
      const time = await measured(count)
      best = Math.min(best, time)
      spent += count * time
    }
    return best
  } finally {
    flag.release()
  }
}

const timeOfShape = async (backend: Backend, m: number, k: number, n: number, enough: number): Promise<number> => {
  const held: Tensor[] = []
  try {
    held.push(filled(backend, m, k))
    held.push(filled(backend, k, n))
    return await timeOf(held[0]!, held[1]!, enough)
  } finally {
    for (const tensor of held) tensor.release()
  }
}

/**
 * Measures a few shapes for `enough` milliseconds each; the result of the largest product that did not take too long. Raises
 * what the backend raises, OutOfMemory before others: the largest takes 28 MB.
 */
export const measureProducts = async (backend: Backend, enough: number): Promise<ProductSpeed> => {
  let result: ProductSpeed | undefined
  for (const [m, k, n] of shapes) {
    const time = await timeOfShape(backend, m, k, n, enough)
    result = { gflops: (2 * m * k * n) / (1e6 * time), m, k, n }
    if (time > slow) break
  }
  return result!
}
