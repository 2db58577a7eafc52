/** Ranges that are searched for: what they win, what they are stored as, and files of before. */
import { Random, type Tensor, tensor } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import {
  bilevel,
  encodeChoice,
  type QuantizerChoice,
  QuantizerVersionDiffers,
  readChoice,
  uniform
} from "../src/index.ts"
import { numbersOf } from "./support/numbers.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

const [rows, columns, group] = [32, 64, 16]

onEveryBackend("a searched range", (backend) => {
  const matrix = (weightAt: (index: number) => number) =>
    tensor(
      backend,
      Float32Array.from({ length: rows * columns }, (_, i) => weightAt(i)),
      [rows, columns]
    )
  const normal = (seed: number) => {
    const random = Random.make(seed)
    return matrix(() => 0.02 * random.nextNormal())
  }
  /** |w - w'|^2 of all weights together, over |w|^2. */
  const relativeError = async ({ quantizer, config }: QuantizerChoice, weight: Tensor) => {
    const [w, q] = [await weight.read(), await numbersOf(() => quantizer.fakeQuantize(config, weight))]
    let [error, whole] = [0, 0]
    for (const [i, value] of w.entries()) {
      error += (value - q[i]!) ** 2
      whole += value ** 2
    }
    return error / whole
  }

  it.each([
    { bits: 2, most: 0.8 },
    { bits: 3, most: 0.95 },
    { bits: 4, most: 1 }
  ] as const)("leaves less of the error of bilevel in the same bits: $bits bits", async ({ bits, most }) => {
    const of = (range: "minmax" | "mse") => bilevel({ bits, group, scaleGroup: 16, range })
    const [found, plain] = [of("mse"), of("minmax")]
    const weight = normal(1)
    assert.isBelow(await relativeError(found, weight), most * (await relativeError(plain, weight)))
    assert.strictEqual(found.quantizer.bitsPerWeight(found.config), plain.quantizer.bitsPerWeight(plain.config))
  })

  it("takes the best scale code and zero point that bilevel can store", async () => {
    const { quantizer, config } = bilevel({ bits: 2, group, scaleGroup: 16, range: "mse" })
    const weight = normal(2)
    const stored = quantizer.quantize(config, weight)
    const [w, step, origin] = [await weight.read(), await stored["step"]!.read(), await stored["origin"]!.read()]
    const errorOn = (o: number, j: number, scale: number, zero: number) => {
      let sum = 0
      for (let i = 0; i < group; i++) {
        const value = w[o * columns + j * group + i]!
        const code = Math.min(3, Math.max(0, Math.round(value / Math.max(scale, 1e-9) + zero)))
        sum += (value - scale * (code - zero)) ** 2
      }
      return sum
    }
    const y = await numbersOf(() => quantizer.fakeQuantize(config, weight))
    for (let o = 0; o < rows; o++) {
      for (let j = 0; j < columns / group; j++) {
        const second = Math.floor((j * rows + o) / 16)
        let least = Number.POSITIVE_INFINITY
        for (let code = 0; code < 16; code++) {
          for (let zero = 0; zero < 4; zero++) {
            least = Math.min(least, errorOn(o, j, origin[second]! + step[second]! * code, zero))
          }
        }
        let own = 0
        for (let i = o * columns + j * group; i < o * columns + (j + 1) * group; i++) own += (w[i]! - y[i]!) ** 2
        assert.closeTo(own, least, 1e-5 * least)
      }
    }
  })

  it("of uniform has zero points of b bits, also where a group lies on one side of 0", async () => {
    const { quantizer, config } = uniform({ bits: 3, group, range: "mse" })
    const random = Random.make(3)
    const sided = matrix((i) => (Math.floor(i / group) % 2 === 0 ? 1 : -1) * (1 + 0.2 * random.nextUniform()))
    const { zeros } = quantizer.quantize(config, sided)
    assert.strictEqual(zeros!.dtype, "u8")
    assert.isBelow(Math.max(...(await zeros!.read())), 8)
    assert.strictEqual(quantizer.bitsPerWeight(config), 3 + (3 + 16) / group)
    // A grid from 0 to the far end has 7 steps; the weights lie in the last of them.
    assert.isBelow(await relativeError({ quantizer, config }, sided), 0.005)
  })
})

describe("options and files of before", () => {
  it("know no range of bilevel: it is minmax, and minmax is not written", () => {
    const before = { use: "bilevel", version: 1, with: encodeChoice(bilevel({ bits: 2, group, scaleGroup: 16 })).with }
    assert.notProperty(before.with, "range")
    const read = readChoice("file", { ...before, with: before.with as never })
    assert.deepInclude(read.config, { range: "minmax" })
    assert.deepEqual(encodeChoice(bilevel({ bits: 2, group, scaleGroup: 16, range: "minmax" })).with, before.with)
    assert.deepInclude(encodeChoice(bilevel({ bits: 2, group, scaleGroup: 16, range: "mse" })).with, { range: "mse" })
  })

  it("of uniform had other zero points: its version says so", () => {
    const written = { use: "uniform", version: 1, with: { bits: 4, group, range: "mse" } }
    assert.throws(() => readChoice("old.safetensors", written), QuantizerVersionDiffers, /uniform/)
  })
})
