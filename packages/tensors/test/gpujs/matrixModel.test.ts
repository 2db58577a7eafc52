/** The arithmetic of products by matrices of f16, one term and three, against f64: how far it is off, and that nothing is lost silently. */
import { assert, describe, it } from "vitest"
import { leastOfMatrices } from "../../src/backends/gpujs/webgpu/products.ts"
import { type AnyKernel, makeReferenceBackend, Random } from "../../src/index.ts"
import { linearKernel } from "../../src/kernels/linear.ts"
import { matmulKernel } from "../../src/kernels/matmul/definition.ts"
import { type MatmulAttributes, productSize } from "../../src/kernels/matmul/geometry.ts"
import { type AnySample, runSample, samplesOf } from "../conformance/runSample.ts"
import { tolerances } from "../tolerances.ts"
import { halvesOf, in11Bits, isNormalHalf, matrixProduct, scaleOf } from "./matrixModel.ts"

const random = Random.make(9, "halves")
const row = (length: number, draw: (i: number) => number) =>
  Array.from({ length }, (_, i) => Math.fround(draw(i) * random.nextNormal()))

/** Rows and columns of several kinds, 131 long. */
const kinds: { readonly [kind: string]: (i: number) => number } = {
  "of one size": () => 1,
  "with outliers": (i) => (i % 50 === 7 ? 2 ** 12 : 1),
  "of many sizes": (i) => 2 ** ((i % 41) - 20),
  "far below f16": () => 2 ** -60,
  "far above f16": () => 2 ** 60,
  "of f32's smallest": () => 2 ** -124,
  "of f32's largest": () => 2 ** 124
}

const matrix = (kind: string) => Array.from({ length: 6 }, () => row(131, kinds[kind]!))

/** Largest error over the sum of the magnitudes that went into an element, in f64. */
const errorOf = (terms: 1 | 3, a: readonly number[][], b: readonly number[][]): number => {
  const y = matrixProduct(terms, a, b)
  let worst = 0
  for (const [i, left] of a.entries()) {
    for (const [j, right] of b.entries()) {
      let [sum, size] = [0, 0]
      for (const [k, value] of left.entries()) {
        sum += value * right[k]!
        size += Math.abs(value * right[k]!)
      }
      worst = Math.max(worst, Math.abs(y[i]![j]! - sum) / size)
    }
  }
  return worst
}

// The pairs whose products f32 holds.
const pairs = [
  ["of one size", "of one size"],
  ["with outliers", "of one size"],
  ["with outliers", "with outliers"],
  ["of many sizes", "of one size"],
  ["of many sizes", "of many sizes"],
  ["far below f16", "of one size"],
  ["far above f16", "of one size"],
  ["far below f16", "far above f16"],
  ["of f32's smallest", "of f32's largest"]
] as const

describe("a scaled row", () => {
  it.each(Object.keys(kinds))("%s is of normal halves, the largest in [2^14, 2^15]", (kind) => {
    for (const values of matrix(kind)) {
      const { high, low } = halvesOf(values)
      for (const part of [...high, ...low]) assert.isTrue(isNormalHalf(part), `${part}`)
      const most = Math.max(...high.map(Math.abs))
      if (kind !== "of f32's smallest") assert.isTrue(most >= 2 ** 14 && most <= 2 ** 15, `${most}`)
    }
  })

  it("is the number again from high and low, to 22 bits or to the 2^-39th of the largest", () => {
    for (const size of [1, 2 ** -10, 2 ** -20, 2 ** -26, 2 ** -32]) {
      const values = [1, ...row(500, () => size).filter((x) => Math.abs(x) <= 1)]
      const { scale, high, low } = halvesOf(values)
      for (const [i, x] of values.entries()) {
        const allowed = Math.max(2 ** -22 * Math.abs(x), 2 ** -39)
        assert.isAtMost(Math.abs((high[i]! + low[i]! * 2 ** -11) / scale - x), allowed, `${x}`)
      }
    }
  })

  it("keeps zeros, and is scaled by 0 where it holds NaN or infinity", () => {
    assert.deepEqual(halvesOf([0, -0]).high.map(Math.abs), [0, 0])
    for (const special of [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]) {
      assert.strictEqual(scaleOf([1, special, 2]), 0)
      assert.isNaN(matrixProduct(3, [[1, special, 2]], [[1, 1, 1]])[0]![0])
    }
  })
})

describe("rounding by whole numbers", () => {
  it("goes to the nearest, ties to even, and to 0 below the normal halves", () => {
    const step = 2 ** -10
    const cases = [
      [1, 1],
      [1 + step / 2, 1],
      [1 + step / 2 + 2 ** -23, 1 + step],
      [1 + 1.5 * step, 1 + 2 * step],
      [-1 - 1.5 * step, -1 - 2 * step],
      [2 - step / 2, 2],
      [2 ** -14, 2 ** -14],
      [2 ** -14 - 2 ** -38, 2 ** -14],
      [2 ** -14 - 2 ** -25, 0]
    ] as const
    for (const [x, expected] of cases) assert.strictEqual(in11Bits(x), expected, `${x}`)
  })
})

/** Factors of a sample as rows of op(a) and columns of op(b), where it is large enough for matrices. */
const factorsOf = ({ inputs, attributes }: AnySample) => {
  const { transposeA = false, transposeB = true } = attributes as Partial<MatmulAttributes>
  const [a, b] = [inputs["a"] ?? inputs["x"]!, inputs["b"] ?? inputs["weight"]!]
  if (a.shape.length !== 2 || (b.dtype ?? "f32") !== "f32") return undefined
  const { m, n, k } = productSize("matmul", a.shape, b.shape, { transposeA, transposeB })
  if (Math.min(m, n, k) < leastOfMatrices) return undefined
  const at = (values: ArrayLike<number>, extent: number, turned: boolean) => (row: number) =>
    Array.from({ length: k }, (_, i) => Math.fround(values[turned ? i * extent + row : row * k + i]!))
  return {
    rows: Array.from({ length: m }, (_, i) => i).map(at(a.values, m, transposeA)),
    columns: Array.from({ length: n }, (_, i) => i).map(at(b.values, n, !transposeB)),
    bias: inputs["bias"]?.values
  }
}

/** What an absolute tolerance must allow beside `relative`, over the samples of a kernel that are large enough. */
const missOf = async (terms: 1 | 3, kernel: AnyKernel, relative: number): Promise<number> => {
  let [worst, tried] = [0, 0]
  for (const sample of samplesOf(kernel)) {
    const factors = factorsOf(sample)
    if (factors === undefined) continue
    tried++
    const y = matrixProduct(terms, factors.rows, factors.columns)
    const expected = (await runSample(makeReferenceBackend(), kernel, sample)).outputs["y"]!.values
    const n = factors.columns.length
    for (let i = 0; i < expected.length; i++) {
      const value = y[Math.floor(i / n)]![i % n]! + (factors.bias?.[i % n] ?? 0)
      worst = Math.max(worst, Math.abs(value - expected[i]!) - relative * Math.abs(expected[i]!))
    }
  }
  assert.isAbove(tried, 0, `samples of ${kernel.name} that are large enough`)
  return worst
}

describe.each([matmulKernel, linearKernel])("the conformance suite's tolerance for samples of $name", (kernel) => {
  it("is what one term needs, and no more than four times that", async () => {
    const { relative, absolute } = tolerances.matricesOfHalves.forward
    const miss = await missOf(1, kernel, relative)
    assert.isAtMost(miss, absolute)
    assert.isAtLeast(miss, absolute / 4)
  })

  it("for three terms is that of f32", async () => {
    const { relative, absolute } = tolerances.gpujs.forward
    assert.isAtMost(await missOf(3, kernel, relative), absolute)
  })
})

describe("products", () => {
  it.each(pairs)("in one term of rows %s and columns %s are off by 2^-10 of the magnitudes at most", (a, b) => {
    const error = errorOf(1, matrix(a), matrix(b))
    assert.isAtMost(error, 2 ** -10)
    assert.isAtLeast(error, 2 ** -18, "one term rounds")
  })

  it.each(pairs)("in three terms of rows %s and columns %s are as near as f32's", (a, b) => {
    assert.isAtMost(errorOf(3, matrix(a), matrix(b)), 2 ** -20)
  })
})
