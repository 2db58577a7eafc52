/** Attention over more queries than a block of scores holds, on GPU.js. */
import { assert, describe, it } from "vitest"
import { makeGpujsBackend } from "../../src/backends/gpujs/GpujsBackend.ts"
import { apply } from "../../src/core/apply.ts"
import { type Backend, makeReferenceBackend, Random, type Shape, sizeOf, tensor } from "../../src/index.ts"
import { attentionGradientKernel, attentionKernel } from "../../src/kernels/attention/definition.ts"

const [queries, keys, heads, groups, width] = [1030, 1035, 2, 1, 2]
const attributes = { causal: true, scale: 0.7 }
const random = Random.make(3, "attention blocks")
const normals = (shape: Shape) => ({
  shape,
  values: Float32Array.from({ length: sizeOf(shape) }, () => random.nextNormal())
})
const data = {
  q: normals([1, queries, heads, width]),
  k: normals([1, keys, groups, width]),
  v: normals([1, keys, groups, width]),
  dy: normals([1, queries, heads, width])
}

/** Everything that the two kernels compute, by name. */
const computed = async (backend: Backend) => {
  const upload = ({ values, shape }: ReturnType<typeof normals>) => tensor(backend, values, shape)
  const operands = { q: upload(data.q), k: upload(data.k), v: upload(data.v) }
  const keyMask = tensor(
    backend,
    Int32Array.from({ length: keys }, (_, i) => Number(i % 5 !== 0)),
    [1, keys],
    "i32"
  )
  const forward = apply(attentionKernel, { ...operands, keyMask }, attributes)
  const gradients = apply(
    attentionGradientKernel,
    { ...operands, ...forward, dy: upload(data.dy), keyMask },
    attributes
  )
  const results = new Map<string, ArrayLike<number>>()
  for (const [name, result] of Object.entries({ ...forward, ...gradients })) results.set(name, await result.read())
  await backend.close()
  return results
}

describe("attention in blocks", () => {
  it.each(["cpu", "webasm"] as const)("equals the reference on gpujs:%s", async (mode) => {
    const expected = await computed(makeReferenceBackend())
    const actual = await computed(await makeGpujsBackend({ mode }))
    for (const [name, values] of expected) {
      for (let i = 0; i < values.length; i++) {
        const [a, e] = [actual.get(name)![i]!, values[i]!]
        if (a !== e) assert.closeTo(a, e, 1e-5 + 1e-4 * Math.abs(e), `${name}[${i}]`)
      }
    }
  })
})
