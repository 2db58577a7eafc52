/**
 * The clipping search: golden vector, what it may not do, moments collected in parts (docs/method.md,
 * "Clipping search").
 */
import { fromBfloat16, leadingRows, Random, reshape, scope, tensor, toBfloat16 } from "@speedq/tensors"
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  type ClippingOptions,
  clippingDefaults,
  clipWeight,
  collectMoments,
  inputMoments,
  isClipped,
  referenceClipping,
  searchClipping
} from "../src/index.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"
import { raisedBy } from "./support/raisedBy.ts"

const options = (group: number, sampleTokens: number, bits = 2): ClippingOptions => ({
  ...clippingDefaults,
  bits,
  group,
  sampleTokens
})

describe("clipping", () => {
  it.each(["v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"])("is for %s", (name) => {
    assert.isTrue(isClipped(`model.layers.0.mlp.${name}`))
  })

  it.each(["q_proj", "k_proj", "query_key_value", "Wqkv"])("is not for %s", (name) => {
    assert.isFalse(isClipped(`model.layers.0.self_attn.${name}`))
  })
})

onEveryBackend("the clipping search", (backend) => {
  const normals = (random: Random, rows: number, columns: number, deviation = 1) =>
    tensor(
      backend,
      Float32Array.from({ length: rows * columns }, () => deviation * random.nextNormal()),
      [rows, columns]
    )

  it("gives the golden range of docs/method.md", async () => {
    const weight = tensor(backend, [0.9, -0.1, 0.2, -0.35], [1, 4])
    const inputs = tensor(backend, [1, 0.5, -1, 2, 0.2, 1, 1, -1, 0.1, 2, -0.5, 0.5, -1, 0, 1, 1], [4, 4])
    const ranges = searchClipping(weight, inputMoments("golden", inputs, options(4, 4)), options(4, 4))
    assert.closeTo(await ranges.max.item(), 0.855, 1e-6)
    assert.closeTo(await ranges.min.item(), -0.35, 1e-6)
    assert.closeTo(await ranges.error.item(), 0.025266007, 1e-7)
    const clipped = await clipWeight(weight, ranges).read()
    for (const [i, value] of [0.855, -0.1, 0.2, -0.35].entries()) assert.closeTo(clipped[i]!, value, 1e-6)
  })

  it("rounds ranges and errors to bfloat16 as the reference does (quirk 5)", async () => {
    const [rows, columns, group] = [16, 32, 8]
    const random = Random.make(11)
    const weight = normals(random, rows, columns, 0.05)
    const moments = inputMoments("w", normals(random, 30, columns), options(group, 20))
    const careful = searchClipping(weight, moments, options(group, 20))
    const coarse = searchClipping(weight, moments, { ...options(group, 20), ...referenceClipping })
    const [errors, coarseErrors] = [await careful.error.read(), await coarse.error.read()]
    const numbers = [coarseErrors, await coarse.max.read(), await coarse.min.read(), await coarse.errorUnclipped.read()]
    for (const values of numbers) for (const value of values) assert.strictEqual(value, fromBfloat16(toBfloat16(value)))
    // The same search: its weights and scales have 8 bits, which moves the error of all groups together by a few percent.
    const sum = (values: ArrayLike<number>) => Array.from(values).reduce((total, value) => total + value, 0)
    assert.closeTo(sum(coarseErrors) / sum(errors), 1, 0.1)
    assert.notDeepEqual([...coarseErrors], [...errors])
  })

  it("never does worse than not clipping, nor leaves the weight's range", () =>
    fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 2 ** 31 }), fc.constantFrom(2, 3, 4), async (seed, bits) => {
        const [rows, columns, group] = [3, 16, 8]
        const random = Random.make(seed)
        const weight = normals(random, rows, columns, 0.05)
        const of = options(group, 20, bits)
        const found = searchClipping(weight, inputMoments("w", normals(random, 30, columns), of), of)
        const [error, unclipped] = [await found.error.read(), await found.errorUnclipped.read()]
        const [max, min] = [await found.max.read(), await found.min.read()]
        const values = await weight.read()
        const clipped = await clipWeight(weight, found).read()
        for (const at of error.keys()) {
          assert.isAtMost(error[at]!, unclipped[at]!)
          const group8 = values.slice(at * group, (at + 1) * group)
          assert.isAtMost(max[at]!, Math.max(...group8))
          assert.isAtLeast(min[at]!, Math.min(...group8))
          for (const value of clipped.slice(at * group, (at + 1) * group)) {
            assert.isTrue(value >= min[at]! && value <= max[at]!)
          }
        }
      }),
      { seed: 43, numRuns: 20 }
    ))

  it("looks at every floor(N / sample)-th token", async () => {
    const inputs = tensor(backend, [1, 100, 2, 100, 3], [5, 1])
    const moment = await inputMoments("w", inputs, options(1, 2)).item()
    assert.closeTo(moment, (1 + 4 + 9) / 3, 1e-6)
  })

  it("refuses fewer tokens than it is to look at", () => {
    const { _tag, message } = raisedBy(() =>
      inputMoments("layers.7.up_proj", tensor(backend, [1, 2], [2, 1]), options(1, 3))
    )
    assert.strictEqual(_tag, "CalibrationEmpty")
    assert.include(message, "layers.7.up_proj gives 2 tokens of calibration data, but 3 are needed")
    assert.strictEqual(raisedBy(() => collectMoments("all.jsonl", 0, () => 1))._tag, "CalibrationEmpty")
  })

  it("collects the same moments in parts as at once", () =>
    fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 0, max: 2 ** 31 }),
        fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 7 }),
        async (seed, parts, sample) => {
          const tokens = parts.reduce((a, b) => a + b)
          fc.pre(tokens >= sample)
          const random = Random.make(seed)
          const [columns, group] = [6, 3]
          const values = Float32Array.from({ length: tokens * columns }, () => random.nextNormal())
          const before = backend.usage().buffers
          const collector = collectMoments("text", tokens, (layer) => (layer === "mlp" ? group : undefined), sample)
          let seen = 0
          for (const part of parts) {
            scope(() => {
              const rows = values.subarray(seen * columns, (seen + part) * columns)
              collector.observe("mlp", tensor(backend, rows, [1, part, columns]))
              collector.observe("q_proj", tensor(backend, rows, [1, part, columns]))
            })
            seen += part
          }
          assert.deepEqual([...collector.moments.keys()], ["mlp"])
          const collected = await collector.moments.get("mlp")!.read()
          collector.release()
          assert.strictEqual(backend.usage().buffers, before)
          const whole = inputMoments("mlp", tensor(backend, values, [tokens, columns]), options(group, sample))
          for (const [i, value] of (await whole.read()).entries()) assert.closeTo(collected[i]!, value, 1e-5)
        }
      ),
      { seed: 47, numRuns: 30 }
    ))

  it("takes inputs of any leading shape", async () => {
    const inputs = normals(Random.make(1), 12, 4)
    const flat = await inputMoments("w", inputs, options(2, 5)).read()
    assert.deepEqual(await inputMoments("w", reshape(inputs, [3, 4, 4]), options(2, 5)).read(), flat)
    assert.notDeepEqual(await inputMoments("w", leadingRows(inputs, 6), options(2, 5)).read(), flat)
  })
})
