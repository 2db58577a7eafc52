/** Samples of kernels that multiply matrices. */
import type { Shape } from "../../core/Shape.ts"
import { normals, type SampleRandom } from "./samples.ts"

interface ProductSize {
  readonly m: number
  readonly k: number
  readonly n: number
  readonly batch: Shape
}

/** A sample of every size and of every way to transpose a and b; `more` draws what else the kernel takes, from the product's shape. */
export const productSamples = <M extends object>(
  random: SampleRandom,
  sizes: readonly ProductSize[],
  more: (product: Shape) => M
) =>
  sizes.flatMap(({ m, k, n, batch }) =>
    [false, true].flatMap((transposeA) =>
      [false, true].map((transposeB) => ({
        name: `${batch.join("x")} ${m}x${k}x${n} ${transposeA ? "T" : "N"}${transposeB ? "T" : "N"}`,
        inputs: {
          a: normals(random, [...batch, ...(transposeA ? [k, m] : [m, k])]),
          b: normals(random, [...batch, ...(transposeB ? [n, k] : [k, n])]),
          ...more([...batch, m, n])
        },
        attributes: { transposeA, transposeB }
      }))
    )
  )
