/** Products of odd extents against the definition: with and without BLAS, on one and several threads, every transposition. */
import { afterAll, assert, describe, it } from "vitest"
import {
  type Backend,
  type DType,
  linear,
  makeNativeBackend,
  makeReferenceBackend,
  matmul,
  matmulInto,
  Random,
  reshape,
  type Shape,
  type Tensor,
  tensor,
  toBfloat16,
  toFloat16
} from "../../src/index.ts"
import { assertClose } from "../conformance/compare.ts"

const reference = makeReferenceBackend()
const [single, plain, several, automatic, alone] = await Promise.all([
  makeNativeBackend({ threads: 1, blas: "none" }),
  makeNativeBackend({ threads: 2, blas: "none", simd: "plain" }),
  makeNativeBackend({ threads: 3, blas: "none" }),
  makeNativeBackend({ threads: 3 }),
  makeNativeBackend({ threads: 1 })
])
const backends = [single, plain, several, automatic, alone]
afterAll(async () => {
  for (const backend of backends) await backend.close()
})

/** Small whole numbers over 8: products and sums are exact, so every path must give the same bits. */
const exact = (random: Random, shape: Shape): Float32Array =>
  Float32Array.from(
    { length: shape.reduce((size, extent) => size * extent, 1) },
    () => Math.floor(random.nextUniform() * 33 - 16) / 8
  )

const stored = (values: Float32Array, dtype: DType): number[] =>
  Array.from(values, dtype === "bf16" ? toBfloat16 : dtype === "f16" ? toFloat16 : (value) => value)

const on = async (backend: Backend, tensors: readonly Tensor[], body: () => Tensor): Promise<ArrayLike<number>> => {
  const y = body()
  const values = await y.read()
  for (const x of [y, ...tensors]) x.release()
  assert.strictEqual(backend.usage().buffers, 0)
  return values
}

/** x W^T, with or without the bias, the weight stored as `dtype`. */
const biased =
  (
    values: { readonly x: Float32Array; readonly weight: Float32Array; readonly bias: Float32Array },
    [m, k, n]: readonly [number, number, number],
    dtype: DType
  ) =>
  (backend: Backend, withBias: boolean) => {
    const x = tensor(backend, values.x, [m, k])
    const weight = tensor(backend, stored(values.weight, dtype), [n, k], dtype)
    const bias = tensor(backend, values.bias, [n])
    return on(backend, [x, weight, bias], () => linear(x, weight, withBias ? bias : undefined))
  }

const extents = [
  { m: 1, k: 1, n: 1 },
  { m: 9, k: 7, n: 5 },
  { m: 4, k: 256, n: 8 },
  { m: 13, k: 257, n: 9 },
  { m: 121, k: 33, n: 513 },
  { m: 241, k: 300, n: 1027 },
  { m: 700, k: 31, n: 64 },
  { m: 12, k: 0, n: 6 }
]

describe("native products", () => {
  for (const { m, k, n } of extents) {
    it.each([
      [false, false],
      [false, true],
      [true, false],
      [true, true]
    ])(`${m}x${k}x${n}, transposed: %s %s`, async (transposeA, transposeB) => {
      const random = Random.make(m * n + k)
      const [shapeA, shapeB] = [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]]
      const [valuesA, valuesB, valuesC] = [exact(random, shapeA), exact(random, shapeB), exact(random, [m, n])]
      const product = (backend: Backend) => {
        const [a, b] = [tensor(backend, valuesA, shapeA), tensor(backend, valuesB, shapeB)]
        return on(backend, [a, b], () => matmul(a, b, transposeA, transposeB))
      }
      const added = (backend: Backend) => {
        const [a, b] = [tensor(backend, valuesA, shapeA), tensor(backend, valuesB, shapeB)]
        const c = tensor(backend, valuesC, [m, n])
        matmulInto(c, a, b, transposeA, transposeB)
        return on(backend, [a, b], () => c)
      }
      const [expected, expectedSum] = [await product(reference), await added(reference)]
      for (const backend of backends) {
        assertClose(`${backend.name}: product`, [m, n], await product(backend), expected, { relative: 0, absolute: 0 })
        assertClose(`${backend.name}: sum`, [m, n], await added(backend), expectedSum, { relative: 0, absolute: 0 })
      }
    })
  }

  it.each((["f32", "bf16", "f16"] as const).flatMap((dtype) => [1, 2, 5, 8, 9, 40].map((rows) => ({ dtype, rows }))))(
    "linear of $rows rows with a weight stored as $dtype",
    async ({ dtype, rows }) => {
      const [k, n] = [301, 1031]
      const random = Random.make(rows)
      const [valuesX, valuesW, valuesB] = [exact(random, [rows, k]), exact(random, [n, k]), exact(random, [n])]
      const run = biased({ x: valuesX, weight: valuesW, bias: valuesB }, [rows, k, n], dtype)
      for (const withBias of [true, false]) {
        const expected = await run(reference, withBias)
        for (const backend of backends) {
          const actual = await run(backend, withBias)
          assertClose(backend.name, [rows, n], actual, expected, { relative: 0, absolute: 0 })
        }
      }
    }
  )

  it.each(["f32", "bf16", "f16"] as const)(
    "few rows give the same bits on any number of threads: %s",
    async (dtype) => {
      const [rows, k, n] = [2, 301, 1031]
      const random = Random.make(29)
      const numbers = (count: number) => Float32Array.from({ length: count }, () => random.nextNormal())
      const [valuesX, valuesW] = [numbers(rows * k), numbers(n * k)]
      const run = (backend: Backend) => {
        const x = tensor(backend, valuesX, [rows, k])
        const weight = tensor(backend, stored(valuesW, dtype), [n, k], dtype)
        return on(backend, [x, weight], () => linear(x, weight))
      }
      assert.deepStrictEqual(Array.from(await run(several)), Array.from(await run(single)))
    }
  )

  it("a weight of 16 bits that is wider than a thread's scratch holds at once", async () => {
    const [m, k, n] = [9, 5000, 400]
    const random = Random.make(11)
    const [valuesA, valuesB] = [exact(random, [m, k]), exact(random, [k, n])]
    const run = (backend: Backend, transposeB: boolean) => {
      const a = tensor(backend, valuesA, [m, k])
      const shape = transposeB ? [n, k] : [k, n]
      const b = tensor(backend, stored(valuesB, "bf16"), shape, "bf16")
      return on(backend, [a, b], () => matmul(a, b, false, transposeB))
    }
    for (const transposeB of [false, true]) {
      const expected = await run(reference, transposeB)
      for (const backend of backends) {
        assertClose(backend.name, [m, n], await run(backend, transposeB), expected, { relative: 0, absolute: 0 })
      }
    }
  })

  it("numbers times a bf16 identity keep every bit", async () => {
    const [m, k] = [9, 64]
    const random = Random.make(5)
    const scales = [1, 1e30, 1e-25, 3e38, -1]
    const numbers = Float32Array.from({ length: m * k }, (_, i) => random.nextUniform() * scales[i % scales.length]!)
    numbers.set([Number.POSITIVE_INFINITY], 70)
    const identity = Float32Array.from({ length: k * k }, (_, i) => (i % (k + 1) === 0 ? 1 : 0))
    // Zeros times infinity: all of that row is NaN but the infinite element.
    const expected = numbers.map((value, i) => (Math.floor(i / k) === 1 && i !== 70 ? Number.NaN : value))
    for (const backend of backends) {
      const x = tensor(backend, numbers, [m, k])
      const weight = tensor(backend, stored(identity, "bf16"), [k, k], "bf16")
      assert.deepStrictEqual(Array.from(await on(backend, [x, weight], () => linear(x, weight))), Array.from(expected))
    }
  })

  it("infinite bf16 weights give infinity, with and without a bias", async () => {
    const [m, k, n] = [9, 33, 70]
    const random = Random.make(6)
    const [valuesX, valuesW, valuesB] = [exact(random, [m, k]), exact(random, [n, k]), exact(random, [n])]
    valuesX.forEach((value, i) => {
      if (value === 0) valuesX[i] = 1
    })
    valuesW[3 * k + 7] = Number.POSITIVE_INFINITY
    valuesW[66 * k] = Number.NEGATIVE_INFINITY
    valuesW[67 * k] = Number.NaN
    const run = biased({ x: valuesX, weight: valuesW, bias: valuesB }, [m, k, n], "bf16")
    for (const withBias of [true, false]) {
      const expected = Array.from(await run(reference, withBias))
      assert.strictEqual(expected.filter((value) => Math.abs(value) === Number.POSITIVE_INFINITY).length, 2 * m)
      for (const backend of backends) assert.deepStrictEqual(Array.from(await run(backend, withBias)), expected)
    }
  })

  it("more rows than are split at once", async () => {
    const [m, k, n] = [130, 50_000, 3]
    const random = Random.make(8)
    const [valuesX, valuesW] = [exact(random, [m, k]), exact(random, [n, k])]
    const run = (backend: Backend) => {
      const x = tensor(backend, valuesX, [m, k])
      const weight = tensor(backend, stored(valuesW, "bf16"), [n, k], "bf16")
      return on(backend, [x, weight], () => linear(x, weight))
    }
    const expected = Array.from(await run(reference))
    for (const backend of backends) assert.deepStrictEqual(Array.from(await run(backend)), expected)
  })

  it("more rows and columns than sums fit scratch at once", async () => {
    const [m, k, n] = [1050, 5, 2003]
    const random = Random.make(12)
    const [valuesX, valuesW, valuesB] = [exact(random, [m, k]), exact(random, [n, k]), exact(random, [n])]
    const run = biased({ x: valuesX, weight: valuesW, bias: valuesB }, [m, k, n], "bf16")
    for (const withBias of [true, false]) {
      const expected = await run(reference, withBias)
      for (const backend of [alone, automatic]) {
        assertClose(backend.name, [m, n], await run(backend, withBias), expected, { relative: 0, absolute: 0 })
      }
    }
  })

  it("a batch shares one matrix or brings its own", async () => {
    const random = Random.make(3)
    const [valuesA, valuesB] = [exact(random, [3, 17, 20]), exact(random, [3, 20, 11])]
    const run = (backend: Backend, sharedB: boolean) => {
      const a = tensor(backend, valuesA, [3, 17, 20])
      const own = tensor(backend, valuesB, [3, 20, 11])
      const b = sharedB ? tensor(backend, valuesB.subarray(0, 220), [20, 11]) : reshape(own, [3, 20, 11])
      return on(backend, [a, own, b], () => matmul(a, b))
    }
    for (const sharedB of [true, false]) {
      const expected = await run(reference, sharedB)
      for (const backend of backends) {
        assertClose(backend.name, [3, 17, 11], await run(backend, sharedB), expected, { relative: 0, absolute: 0 })
      }
    }
  })
})
