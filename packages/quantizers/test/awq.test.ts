/** AWQ's scales and clipping: what they are by their formulas, and that clipping never makes a group's output worse. */
import { Random, type Tensor, tensor } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import { awqClip, awqScales, collectMagnitudes, type QuantizerChoice, uniform } from "../src/index.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

describe("awqScales", () => {
  it("are powers of the magnitudes, the largest and the smallest equally far from 1", () => {
    assert.deepStrictEqual([...awqScales([1, 4, 16], 0.5)], [0.5, 1, 2])
    assert.deepStrictEqual([...awqScales([3, 5, 0.1], 0)], [1, 1, 1])
  })

  it("are never 0, for a column without inputs", () => {
    const [none, some] = awqScales([0, 1], 0.5) as unknown as readonly [number, number]
    assert.closeTo(none, 0.01, 1e-6)
    assert.closeTo(some, 100, 1e-3)
  })
})

onEveryBackend("AWQ", (backend) => {
  it("measures the mean magnitudes of inputs", async () => {
    const collector = collectMagnitudes(() => true)
    collector.observe("layer", tensor(backend, [1, -2, 0, -3, 4, -1e30], [1, 2, 3]))
    collector.observe("layer", tensor(backend, [-1, 1, 1], [1, 1, 3]))
    const { sum, tokens } = collector.sums.get("layer")!
    const values = [...(await sum.read())]
    assert.deepStrictEqual([tokens, values[0], values[1]], [3, 5, 7])
    assert.closeTo(values[2]! / 1e30, 1, 1e-6)
    collector.release()
  })

  const [rows, columns, group] = [12, 32, 8]
  const random = Random.make(4)
  const weight = tensor(
    backend,
    Float32Array.from({ length: rows * columns }, (_, i) => 0.05 * random.nextNormal() * (i % 7 === 0 ? 3 : 1)),
    [rows, columns]
  )
  const inputs = Array.from({ length: 60 }, () => Array.from({ length: columns }, () => random.nextNormal()))
  const moments = Float64Array.from({ length: columns ** 2 }, (_, at) =>
    inputs.reduce((sum, x) => sum + x[Math.floor(at / columns)]! * x[at % columns]!, 0)
  )
  const choice = uniform({ bits: 2, group, scale: "f32" }) as QuantizerChoice
  const rounded = (values: Tensor) => choice.quantizer.fakeQuantize(choice.config, values).read()

  /** Sum over tokens of (x . (q - w))^2 of each group. */
  const errorsOf = (changed: ArrayLike<number>, original: ArrayLike<number>) =>
    Array.from({ length: (rows * columns) / group }, (_, at) => {
      const [row, first] = [Math.floor(at / (columns / group)), (at % (columns / group)) * group]
      return inputs.reduce((sum, x) => {
        let change = 0
        for (let i = 0; i < group; i++) {
          const place = row * columns + first + i
          change += x[first + i]! * (changed[place]! - original[place]!)
        }
        return sum + change ** 2
      }, 0)
    })

  it("clips each group to the magnitude with which rounding changes its outputs least", async () => {
    const options = { group, gridSize: 20, maxShrink: 0.5 }
    const original = await weight.read()
    const clipped = await awqClip(choice, weight, moments, options)
    const found = errorsOf(await rounded(tensor(backend, clipped, weight.shape)), original)
    const errors: number[][] = []
    for (let step = 0; step < 10; step++) {
      const limited = Float32Array.from(original, (value, at) => {
        const start = at - (at % group)
        const largest = Math.max(...Array.from({ length: group }, (_, i) => Math.abs(original[start + i]!)))
        const limit = Math.fround(largest * (1 - step / 20))
        return Math.min(Math.max(value, -limit), limit)
      })
      errors.push(errorsOf(await rounded(tensor(backend, limited, weight.shape)), original))
    }
    for (const [at, error] of found.entries()) {
      assert.closeTo(error, Math.min(...errors.map((each) => each[at]!)), 1e-6 * error + 1e-12, `group ${at}`)
    }
    const sum = (values: readonly number[]) => values.reduce((a, b) => a + b)
    assert.isBelow(sum(found), 0.95 * sum(errors[0]!))
  })

  it("takes moments of inputs before they are divided by scales", async () => {
    const options = { group, gridSize: 20, maxShrink: 0.5 }
    const scales = Float32Array.from({ length: columns }, (_, i) => 0.5 + (i % 5))
    const divided = moments.map((moment, at) => moment / (scales[Math.floor(at / columns)]! * scales[at % columns]!))
    const clipped = await awqClip(choice, weight, moments, options, scales)
    assert.deepStrictEqual([...clipped], [...(await awqClip(choice, weight, divided, options))])
    assert.notDeepEqual([...clipped], [...(await awqClip(choice, weight, moments, options))])
  })

  it("leaves the weight as it is where no shrinking is tried", async () => {
    const clipped = await awqClip(choice, weight, moments, { group, gridSize: 20, maxShrink: 0.05 })
    assert.deepStrictEqual([...clipped], [...(await weight.read())])
  })
})
