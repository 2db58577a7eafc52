/** Losses over the vocabulary of the released models: right, and without a second copy of the logits. */
import { assert, describe, it } from "vitest"
import {
  crossEntropyRows,
  klRows,
  makeNativeBackend,
  makeReferenceBackend,
  openBackend,
  Random,
  scope,
  tensor,
  zeros
} from "../src/index.ts"

const [rows, vocabulary] = [3, 151_674]
const random = Random.make(61, "vocabulary")
const draw = (): Float32Array => Float32Array.from({ length: rows * vocabulary }, () => 4 * random.nextNormal())
const [student, teacher] = [draw(), draw()]
const labels = [0, 151_673, 70_001]
const smoothing = 0.1

const logSumExp = (row: Float32Array): number => {
  const most = row.reduce((a, b) => Math.max(a, b))
  return most + Math.log(row.reduce((sum, value) => sum + Math.exp(value - most), 0))
}

/** (1 - s) (-log p[label]) + s mean(-log p), in double precision. */
const expected = labels.map((label, r) => {
  const row = student.subarray(r * vocabulary, (r + 1) * vocabulary)
  const mean = row.reduce((sum, value) => sum + value, 0) / vocabulary
  return logSumExp(row) - (1 - smoothing) * row[label]! - smoothing * mean
})

describe.each([
  ["reference", async () => makeReferenceBackend()],
  ["native", () => makeNativeBackend({ threads: 2 })],
  ["native, plain SIMD", () => makeNativeBackend({ threads: 2, simd: "plain" })],
  ["gpujs:cpu", () => openBackend("gpujs:cpu")],
  ["gpujs:webasm", () => openBackend("gpujs:webasm")]
] as const)("losses over 151674 ids on %s", (_, start) => {
  it("are right at both ends of the row, and allocate a number a row", async () => {
    const backend = await start()
    const shape = [rows, vocabulary]
    const logits = tensor(backend, student, shape)
    const other = tensor(backend, teacher, shape)
    const gradient = zeros(backend, shape)
    const ids = tensor(backend, labels, [rows], "i32")
    const weights = tensor(backend, [1, 0.5, 2], [rows])
    const { bytes } = backend.usage()
    const losses = crossEntropyRows(logits, ids, weights, { smoothing }, gradient)
    scope(() => void klRows(logits, other, weights, { beta: 0.3, temperature: 1 }, gradient))
    // Four numbers a row are more than enough for losses, both divergences and their sums.
    assert.isAtMost(backend.usage().peakBytes - bytes, 4 * 4 * rows)
    const values = await losses.read()
    for (const [r, loss] of expected.entries()) assert.closeTo(values[r]!, loss, 1e-4 * loss)
    // Gradients of cross entropy and of a divergence each add up to 0 over a row.
    const slopes = await gradient.read()
    for (let r = 0; r < rows; r++) {
      const row = slopes.subarray(r * vocabulary, (r + 1) * vocabulary)
      assert.closeTo(
        (row as Float32Array).reduce((sum, value) => sum + value, 0),
        0,
        1e-3
      )
      assert.isBelow(row[labels[r]!]!, -0.1)
    }
    await backend.close()
  })
})
