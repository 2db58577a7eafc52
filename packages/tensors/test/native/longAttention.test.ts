/** Attention over more tokens than a matrix of scores has room for: only blocks of its rows are ever held. */
import { assert, describe, it } from "vitest"
import { scratchBytes } from "../../src/backends/native/thread/Thread.ts"
import {
  attention,
  type Backend,
  makeNativeBackend,
  makeReferenceBackend,
  multiply,
  type NativeOptions,
  Random,
  type Shape,
  sizeOf,
  sum,
  type Tensor,
  tensor,
  valueAndGrad
} from "../../src/index.ts"
import { tolerances } from "../tolerances.ts"

const [tokens, heads, groups, width] = [1601, 2, 1, 4]
const memoryBytes = 2 * scratchBytes
const random = Random.make(71, "long attention")
const normals = (shape: Shape): Float32Array => Float32Array.from({ length: sizeOf(shape) }, () => random.nextNormal())
const [asQueries, asKeys] = [
  [1, tokens, heads, width],
  [1, tokens, groups, width]
]
const data = { q: normals(asQueries), k: normals(asKeys), v: normals(asKeys), dy: normals(asQueries) }
const visible = Int32Array.from({ length: tokens }, (_, i) => Number(i % 7 !== 3))

/** Loss and gradients; every tensor is released. */
const computed = async (backend: Backend, isCausal: boolean): Promise<readonly ArrayLike<number>[]> => {
  const dy = tensor(backend, data.dy, asQueries)
  const keyMask = tensor(backend, visible, [1, tokens], "i32")
  const parameters = {
    q: tensor(backend, data.q, asQueries),
    k: tensor(backend, data.k, asKeys),
    v: tensor(backend, data.v, asKeys)
  }
  const { value, gradients } = valueAndGrad(({ q, k, v }: { readonly [name in "q" | "k" | "v"]: Tensor }) => ({
    loss: sum(multiply(attention(q, k, v, { causal: isCausal, scale: 0.5, keyMask }), dy)),
    auxiliary: undefined
  }))(parameters)
  const results = [value, gradients.q, gradients.k, gradients.v]
  const read = await Promise.all(results.map((result) => result.read()))
  for (const each of [...results, ...Object.values(parameters), dy, keyMask]) each.release()
  return read
}

const causality = [false, true] as const
const [bidirectional, causal] = await Promise.all(causality.map((each) => computed(makeReferenceBackend(), each)))

const { relative, absolute } = tolerances.native.gradient

describe("native, attention over 1601 tokens", () => {
  it("would not fit as a matrix", () => assert.isAbove(4 * tokens ** 2, memoryBytes))

  for (const options of [{}, { blas: "none" }, { blas: "none", simd: "plain" }] satisfies readonly NativeOptions[]) {
    for (const isCausal of causality) {
      it(`has the reference's gradients, ${isCausal ? "causal" : "bidirectional"}, ${JSON.stringify(options)}`, async () => {
        const backend = await makeNativeBackend({ threads: 1, memoryBytes, ...options })
        const actual = await computed(backend, isCausal)
        const expected = (isCausal ? causal : bidirectional)!
        for (const [index, values] of expected.entries()) {
          for (let i = 0; i < values.length; i++) {
            const e = values[i]!
            assert.closeTo(actual[index]![i]!, e, 10 * (absolute + relative * Math.abs(e)), `${index}, element ${i}`)
          }
        }
        await backend.close()
      })
    }
  }
})
