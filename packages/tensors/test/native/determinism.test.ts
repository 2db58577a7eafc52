/** The same program gives the same bits: again, on another backend of as many threads, and wherever its tensors lie. */
import { assert, describe, it } from "vitest"
import {
  attention,
  crossEntropyRows,
  gelu,
  keep,
  layerNorm,
  linear,
  makeNativeBackend,
  type NativeBackend,
  type NativeOptions,
  Random,
  reshape,
  scope,
  softmax,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  zeros
} from "../../src/index.ts"

const [tokens, width, hidden] = [96, 64, 512]

const normal = (backend: NativeBackend, random: Random, shape: readonly number[], spread: number): Tensor =>
  tensor(
    backend,
    Float32Array.from({ length: shape.reduce((size, extent) => size * extent, 1) }, () => spread * random.nextNormal()),
    shape
  )

/** Loss and gradients of a small network that uses products, attention, norms and reductions, all in many parts. */
const program = async (backend: NativeBackend): Promise<readonly ArrayLike<number>[]> => {
  const random = Random.make(17)
  const parameters = {
    weight: normal(backend, random, [hidden, width], 0.1),
    bias: normal(backend, random, [hidden], 0.1),
    scale: normal(backend, random, [width], 1),
    shift: normal(backend, random, [width], 1),
    head: normal(backend, random, [3001, hidden], 0.1)
  }
  const x = normal(backend, random, [tokens, width], 1)
  const labels = tensor(
    backend,
    Int32Array.from({ length: tokens }, (_, i) => (i * 37) % 3001),
    [tokens],
    "i32"
  )
  const { value, gradients } = valueAndGrad((p: typeof parameters) => {
    const normed = layerNorm(x, p.scale, p.shift, 1e-6)
    const heads = reshape(normed, [1, tokens, 4, 16])
    const mixed = reshape(attention(heads, heads, heads, { causal: true, scale: 0.25 }), [tokens, width])
    const wide = gelu(linear(mixed, p.weight, p.bias))
    const losses = crossEntropyRows(linear(softmax(wide), p.head), labels, undefined, { smoothing: 0.1 })
    return { loss: sum(losses), auxiliary: undefined }
  })(parameters)
  const results = [value, ...Object.values(gradients)]
  const read = await Promise.all(results.map((result) => result.read()))
  for (const each of [...results, ...Object.values(parameters), x, labels]) each.release()
  return read
}

const same = (what: string, actual: readonly ArrayLike<number>[], expected: readonly ArrayLike<number>[]) =>
  assert.deepStrictEqual(actual, expected, what)

describe.each<NativeOptions>([
  { threads: 2 },
  { threads: 3, blas: "none" },
  { threads: 1, blas: "none", simd: "plain" }
])("native %o", (options) => {
  it("gives the same bits every time", async () => {
    const backend = await makeNativeBackend(options)
    const first = await program(backend)
    assert.isTrue(first.flatMap((values) => Array.from(values)).every(Number.isFinite))
    for (let again = 0; again < 5; again++) {
      // Something in the way moves every tensor of the next run.
      const inTheWay = scope(() => keep(zeros(backend, [1013 * (again + 1)])))
      same(`run ${again}`, await program(backend), first)
      inTheWay.release()
    }
    const other = await makeNativeBackend(options)
    same("another backend", await program(other), first)
    assert.strictEqual(backend.usage().buffers, 0)
    await backend.close()
    await other.close()
  })
})
