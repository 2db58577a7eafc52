/** Cached activations, in memory and in a file. */
import { existsSync, mkdtempSync, rmSync, truncateSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { afterAll, assert, describe, it } from "vitest"
import { CacheFailed, makeActivationCache } from "../src/index.ts"

const directory = mkdtempSync(join(tmpdir(), "speedq-cache-"))
afterAll(() => rmSync(directory, { recursive: true }))
const spillFile = join(directory, "spill.bin")

const [count, sampleSize] = [6, 5] as const
const sampleBytes = 4 * sampleSize
const valuesOf = (sample: number, round = 0) =>
  Float32Array.from({ length: sampleSize }, (_, i) => 1000 * round + 10 * sample + i)

const budgets = [
  { where: "in a file", memoryBudget: 0, inMemory: 0 },
  { where: "in memory and in a file", memoryBudget: 2.5 * sampleBytes, inMemory: 2 },
  { where: "in memory", memoryBudget: 100 * sampleBytes, inMemory: count }
]

describe.each(budgets)("a cache $where", ({ memoryBudget, inMemory }) => {
  const make = () => makeActivationCache({ count, memoryBudget, spillFile })

  it("says what lies where", () => {
    const cache = make()
    assert.isFalse(existsSync(spillFile))
    for (let sample = 0; sample < count; sample++) cache.write(sample, valuesOf(sample))
    assert.strictEqual(cache.memoryBytes(), inMemory * sampleBytes)
    assert.strictEqual(cache.fileBytes(), (count - inMemory) * sampleBytes)
    cache.dispose()
  })

  it("holds samples of unequal sizes, and of the same size ever after", () => {
    const cache = make()
    const ragged = (sample: number) => valuesOf(sample).subarray(0, 1 + (sample % sampleSize))
    for (let sample = count - 1; sample >= 0; sample--) cache.write(sample, ragged(sample))
    for (let sample = 0; sample < count; sample++) {
      const target = new Float32Array(cache.sizeOf(sample))
      cache.read(sample, target)
      assert.deepEqual(target, ragged(sample))
      assert.throws(() => cache.write(sample, new Float32Array(target.length + 1)), RangeError, "it was written with")
    }
    cache.dispose()
  })

  it("gives back what was written last, in any order", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: count - 1 }), { maxLength: 20 }), (order) => {
        const cache = make()
        const latest = new Map<number, Float32Array>()
        const target = new Float32Array(sampleSize)
        try {
          for (const [round, sample] of order.entries()) {
            latest.set(sample, valuesOf(sample, round))
            cache.write(sample, valuesOf(sample, round))
          }
          for (const [sample, expected] of latest) {
            cache.read(sample, target)
            assert.deepEqual(target, expected)
          }
        } finally {
          cache.dispose()
        }
      }),
      { seed: 89, numRuns: 40 }
    )
  })

  it("keeps copies: what is done to the arrays afterwards does not matter", () => {
    const cache = make()
    const [given, target] = [valuesOf(3), new Float32Array(sampleSize)]
    cache.write(3, given)
    given.fill(-1)
    cache.read(3, target)
    target.fill(-2)
    cache.read(3, target)
    assert.deepEqual(target, valuesOf(3))
    cache.dispose()
  })

  it("deletes its file when it is disposed of, twice if need be", () => {
    const cache = make()
    for (let sample = 0; sample < count; sample++) cache.write(sample, valuesOf(sample))
    assert.strictEqual(existsSync(spillFile), inMemory < count)
    cache.dispose()
    cache.dispose()
    assert.isFalse(existsSync(spillFile))
  })

  it("refuses samples that it does not have, of another size, or that were not written", () => {
    const cache = make()
    const target = new Float32Array(sampleSize)
    for (const sample of [-1, count, 0.5, Number.NaN]) {
      assert.throws(() => cache.write(sample, valuesOf(0)), RangeError)
      assert.throws(() => cache.read(sample, target), RangeError)
    }
    cache.write(count - 1, valuesOf(count - 1))
    const other = new Float32Array(sampleSize + 1)
    assert.throws(() => cache.write(count - 1, other), `sample ${count - 1} of ${sampleSize + 1} floats`)
    assert.throws(() => cache.read(count - 1, other), `sample ${count - 1} of ${sampleSize + 1} floats`)
    for (const sample of [0, count - 2])
      assert.throws(() => cache.read(sample, target), `sample ${sample} was not written`)
    cache.dispose()
  })
})

describe("a cache whose file fails", () => {
  it("says what could not be done, where, with how many bytes, and what to do", () => {
    const cache = makeActivationCache({ count, memoryBudget: 0, spillFile: join(directory, "no", "file") })
    try {
      cache.write(0, valuesOf(0))
      assert.fail("was written")
    } catch (error) {
      assert.instanceOf(error, CacheFailed)
      assert.strictEqual(error._tag, "CacheFailed")
      assert.include(error.message, `cannot open ${join(directory, "no", "file")}`)
      assert.include(error.message, `up to ${sampleBytes} bytes`)
      assert.include(error.message, "free disk space")
    }
  })

  it("notices that its file was cut off", () => {
    const cache = makeActivationCache({ count, memoryBudget: 0, spillFile })
    for (const sample of [0, 1, 2]) cache.write(sample, valuesOf(sample))
    truncateSync(spillFile, 2 * sampleBytes + 4)
    assert.throws(() => cache.read(2, new Float32Array(sampleSize)), CacheFailed, "ends before sample 2")
    cache.dispose()
  })
})
