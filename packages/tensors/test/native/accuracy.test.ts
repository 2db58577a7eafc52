/** The polynomial functions of the WebAssembly kernels over their whole range, in both builds. */
import { afterAll, assert, describe, it } from "vitest"
import {
  adaroundInitial,
  gelu,
  makeNativeBackend,
  makeReferenceBackend,
  siluTimes,
  softmax,
  type Tensor,
  tensor
} from "../../src/index.ts"
import { assertClose } from "../conformance/compare.ts"

const reference = makeReferenceBackend()
const backends = [
  await makeNativeBackend({ threads: 1, blas: "none" }),
  await makeNativeBackend({ threads: 1, blas: "none", simd: "plain" })
]
afterAll(async () => {
  for (const backend of backends) await backend.close()
})

/** From -range to range, dense around 0, and what lies beyond every bound. */
const grid = (range: number): Float32Array =>
  Float32Array.from([
    ...Array.from({ length: 20_001 }, (_, i) => range * (i / 10_000 - 1)),
    ...Array.from({ length: 2001 }, (_, i) => 1e-3 * (i / 1000 - 1)),
    ...[0, -0, 1e-30, -1e-30, 1e30, -1e30, 3.4e38, -3.4e38]
  ])

const compare = async (
  what: string,
  values: Float32Array,
  body: (x: Tensor) => Tensor,
  relative: number,
  absolute: number
) => {
  const run = async (x: Tensor) => {
    const y = body(x)
    const result = await y.read()
    for (const each of [x, y]) each.release()
    return result
  }
  const expected = await run(tensor(reference, values, [1, values.length]))
  for (const backend of backends) {
    const actual = await run(tensor(backend, values, [1, values.length]))
    assertClose(`${backend.name}: ${what}`, [1, values.length], actual, expected, { relative, absolute })
  }
}

describe("accuracy of the native kernels", () => {
  it("gelu", () => compare("gelu", grid(12), gelu, 1e-6, 1e-6))

  it("sigmoid", () => compare("silu", grid(100), (x) => siluTimes(x, x), 1e-6, 1e-30))

  it("exponentials down to the smallest", async () => {
    // Beside a 0, the softmax of x is e^x over the same sum.
    const values = Float32Array.from({ length: 8001 }, (_, i) => -i / 80)
    await compare("softmax", values, softmax, 2e-6, 1e-38)
  })

  it("logarithm", async () => {
    const rests = Float32Array.from({ length: 4001 }, (_, i) => i / 4001)
    const body = (x: Tensor) => {
      const ones = tensor(x.backend, [1], [1, 1])
      const y = adaroundInitial(x, ones)
      ones.release()
      return y
    }
    await compare("adaroundInitial", rests, body, 2e-6, 4e-7)
  })

  it("NaN and infinity come through", async () => {
    for (const backend of backends) {
      for (const at of [0, 3, 4, 6]) {
        const values = Float32Array.from({ length: 7 }, (_, i) => (i === at ? Number.NaN : i))
        const x = tensor(backend, values, [7])
        const y = gelu(x)
        const result = Array.from(await y.read())
        assert.deepStrictEqual(result.map(Number.isNaN), Array.from(values).map(Number.isNaN))
        for (const each of [x, y]) each.release()
      }
    }
  })
})
