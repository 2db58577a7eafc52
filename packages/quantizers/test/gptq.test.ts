/** GPTQ: its factor against a plain inverse, its codes against column-by-column elimination as the paper has it, what it wins, what it refuses. */
import { Random, reshape, type Tensor, tensor } from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import { inverseFactor } from "../src/gptq/cholesky.ts"
import {
  bilevel,
  collectHessians,
  type GptqSettings,
  gptqDefaults,
  gptqFactor,
  gptqWeight,
  hasOwnGroups,
  type QuantizerChoice,
  uniform
} from "../src/index.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"
import { raisedBy } from "./support/raisedBy.ts"

const normals = (random: Random, count: number): Float64Array =>
  Float64Array.from({ length: count }, () => random.nextNormal())

/** X^T X of inputs [tokens, size] that hang together, as those of a network do. */
const momentsOf = (random: Random, tokens: number, size: number): Float64Array => {
  const mixing = normals(random, size * size)
  const inputs = Array.from({ length: tokens }, () => {
    const own = normals(random, size)
    return own.map((value, i) => value + own.reduce((sum, each, j) => sum + 0.3 * each * mixing[j * size + i]!, 0))
  })
  return Float64Array.from({ length: size * size }, (_, at) => {
    const [i, j] = [Math.floor(at / size), at % size]
    return inputs.reduce((sum, x) => sum + x[i]! * x[j]!, 0)
  })
}

describe("the factor of an inverse", () => {
  it.each([1, 2, 63, 64, 65, 130, 331])("of %i columns is upper triangular, and inverts", (size) => {
    const matrix = momentsOf(Random.make(size), size + 5, size)
    const factor = matrix.slice()
    assert.isUndefined(inverseFactor(factor, size))
    // A U^T U = I, and so U A U^T = I.
    const product = (left: (i: number, k: number) => number, right: (k: number, j: number) => number) =>
      Float64Array.from({ length: size * size }, (_, at) => {
        let sum = 0
        for (let k = 0; k < size; k++) sum += left(Math.floor(at / size), k) * right(k, at % size)
        return sum
      })
    const upper = (i: number, j: number) => (j < i ? 0 : factor[i * size + j]!)
    const half = product(upper, (k, j) => matrix[k * size + j]!)
    const whole = product(
      (i, k) => half[i * size + k]!,
      (k, j) => upper(j, k)
    )
    for (const [at, value] of whole.entries()) {
      assert.closeTo(value, at % (size + 1) === 0 ? 1 : 0, 1e-7, `at ${Math.floor(at / size)}, ${at % size}`)
    }
  })

  it("names the column at which a matrix is not positive definite", () => {
    const matrix = Float64Array.of(2, 0, 0, 0, -1, 0, 0, 0, 3)
    assert.deepStrictEqual(inverseFactor(matrix, 3), { column: 1, pivot: -1 })
  })
})

const even = (value: number): number => (Math.abs(value % 1) === 0.5 ? 2 * Math.round(value / 2) : Math.round(value))

/** GPTQ by elimination: the inverse of what is left of the Hessian, anew after every column, and no factor at all. */
const byElimination = (
  weights: Float64Array,
  hessian: Float64Array,
  size: number,
  order: readonly number[],
  quantize: (weight: number, row: number, column: number) => { readonly code: number; readonly value: number }
): readonly number[] => {
  const rows = weights.length / size
  const codes = new Array<number>(weights.length)
  const left = weights.slice()
  let inverse = invert(hessian, size)
  for (const column of order) {
    const pivot = inverse[column * size + column]!
    for (let row = 0; row < rows; row++) {
      const { code, value } = quantize(left[row * size + column]!, row, column)
      codes[row * size + column] = code
      const error = (left[row * size + column]! - value) / pivot
      for (let j = 0; j < size; j++) left[row * size + j]! -= error * inverse[column * size + j]!
    }
    inverse = inverse.map((each, at) => {
      const [i, j] = [Math.floor(at / size), at % size]
      return each - (inverse[i * size + column]! * inverse[column * size + j]!) / pivot
    })
  }
  return codes
}

/** Gauss-Jordan. */
const invert = (matrix: Float64Array, size: number): Float64Array => {
  const work = Array.from({ length: size }, (_, i) => [
    ...matrix.subarray(i * size, (i + 1) * size),
    ...Array.from({ length: size }, (_, j) => (i === j ? 1 : 0))
  ])
  for (let column = 0; column < size; column++) {
    const pivot = work[column]![column]!
    work[column] = work[column]!.map((value) => value / pivot)
    for (const [i, row] of work.entries()) {
      if (i === column) continue
      const factor = row[column]!
      work[i] = row.map((value, j) => value - factor * work[column]![j]!)
    }
  }
  return Float64Array.from(work.flatMap((row) => row.slice(size)))
}

onEveryBackend("gptq", (backend) => {
  const [rows, size] = [32, 48]
  const random = Random.make(3)
  const hessian = momentsOf(random, 200, size)
  const weights = Float64Array.from(normals(random, rows * size), (value) => Math.fround(0.05 * value))
  const weight = tensor(backend, Float32Array.from(weights), [rows, size])
  const choices: readonly QuantizerChoice[] = [
    bilevel({ bits: 2, group: 16, scaleGroup: 16 }) as QuantizerChoice,
    uniform({ bits: 3, group: 8 }) as QuantizerChoice
  ]

  const codesOf = async (choice: QuantizerChoice, options: GptqSettings) => {
    const factor = gptqFactor("layer", hessian, size, options)
    const quantized = await gptqWeight(choice, weight, factor, options)
    const values = await choice.quantizer.dequantize(choice.config, quantized, weight.shape).read()
    return { codes: [...(await quantized["codes"]!.read())], values, quantized }
  }
  const damped = (damping: number) => {
    const mean = Array.from({ length: size }, (_, i) => hessian[i * size + i]!).reduce((a, b) => a + b) / size
    return hessian.map((value, at) => (at % (size + 1) === 0 ? value + damping * mean : value))
  }
  const changeOf = (values: ArrayLike<number>) => {
    let sum = 0
    for (let row = 0; row < rows; row++) {
      const change = Array.from({ length: size }, (_, i) => values[row * size + i]! - weights[row * size + i]!)
      for (let i = 0; i < size; i++)
        for (let j = 0; j < size; j++) sum += change[i]! * hessian[i * size + j]! * change[j]!
    }
    return sum
  }

  it.each(
    choices.flatMap((choice) => [true, false].map((actOrder) => ({ choice, actOrder, use: choice.quantizer.id })))
  )(
    "of $use, act order $actOrder, chooses the codes that elimination chooses, on the grid of the original weight",
    async ({ choice, actOrder }) => {
      const options = { damping: 0.02, actOrder, staticGroups: true }
      const { bits, group } = choice.quantizer.grid!.extents(choice.config)
      const grid = choice.quantizer.grid!.parameters(choice.config, weight)
      const [scale, zero] = [await grid.scale.read(), await grid.zero.read()]
      const order = Array.from({ length: size }, (_, i) => i)
      if (actOrder) order.sort((a, b) => hessian[b * size + b]! - hessian[a * size + a]!)
      const expected = byElimination(weights, damped(0.02), size, order, (value, row, column) => {
        const at = row * (size / group) + Math.floor(column / group)
        const code = Math.min(Math.max(even(value / scale[at]! + zero[at]!), 0), 2 ** bits - 1)
        return { code, value: scale[at]! * (code - zero[at]!) }
      })
      const { codes, quantized } = await codesOf(choice, options)
      assert.deepStrictEqual(codes, expected)
      for (const [name, stored] of Object.entries<Tensor>(grid.stored)) {
        assert.deepStrictEqual(await quantized[name]!.read(), await stored.read(), name)
      }
    }
  )

  it("changes outputs less than rounding to nearest does, with act order and without", async () => {
    for (const choice of choices) {
      const nearest = await choice.quantizer.fakeQuantize(choice.config, weight).read()
      const [plain, ordered] = [
        await codesOf(choice, { ...gptqDefaults, actOrder: false }),
        await codesOf(choice, gptqDefaults)
      ]
      assert.isBelow(changeOf(plain.values), 0.8 * changeOf(nearest), choice.quantizer.id)
      assert.isBelow(changeOf(ordered.values), 0.8 * changeOf(nearest), choice.quantizer.id)
    }
  })

  it("finds the grid of a group on the weights as they are when its turn comes", async () => {
    const [, choice] = choices as readonly [QuantizerChoice, QuantizerChoice]
    const options = { damping: 0.02, actOrder: false, staticGroups: false }
    const group = 8
    const { values, quantized } = await codesOf(choice, options)
    const own = await choice.quantizer.grid!.parameters(choice.config, weight).scale.read()
    const scale = await quantized["scale"]!.read()
    // The first group is not updated yet; all others are.
    const groups = size / group
    for (let row = 0; row < rows; row++) assert.strictEqual(scale[row * groups], own[row * groups])
    assert.isAbove(Array.from(scale).filter((value, at) => value !== own[at]).length, 0.8 * rows * (groups - 1))
    // With the found grids, elimination chooses the same codes.
    const zero = await quantized["zeros"]!.read()
    const expected = byElimination(
      weights,
      damped(0.02),
      size,
      Array.from({ length: size }, (_, i) => i),
      (value, row, column) => {
        const at = row * groups + Math.floor(column / group)
        const code = Math.min(Math.max(even(value / scale[at]! + zero[at]!), 0), 7)
        return { code, value: scale[at]! * (code - zero[at]!) }
      }
    )
    assert.deepStrictEqual([...(await quantized["codes"]!.read())], expected)
    assert.isBelow(changeOf(values), changeOf(await choice.quantizer.fakeQuantize(choice.config, weight).read()))
    assert.deepStrictEqual(choices.map(hasOwnGroups), [false, true])
  })

  it("rounds to nearest where inputs say nothing: columns without any, and unrelated columns", async () => {
    const [choice] = choices as readonly [QuantizerChoice]
    const nearest = choice.quantizer.quantize(choice.config, weight)
    const diagonal = Float64Array.from({ length: size ** 2 }, (_, at) => (at % (size + 1) === 0 ? (at % 5) * 1e-3 : 0))
    for (const moments of [diagonal, new Float64Array(size ** 2)]) {
      const { codes } = await gptqWeight(choice, weight, gptqFactor("layer", moments, size, gptqDefaults), gptqDefaults)
      assert.deepStrictEqual(await codes!.read(), await nearest["codes"]!.read())
    }
  })

  it("names the layer whose Hessian cannot be used", () => {
    const broken = hessian.slice()
    broken[7 * (size + 1)] = Number.NaN
    const error = raisedBy(() => gptqFactor("mlp.down_proj", broken, size, { damping: 0.01, actOrder: false }))
    assert.match(
      error.message,
      /the Hessian of mlp.down_proj is not positive definite: NaN .* an input .* is no number/
    )
    const negative = hessian.map((value) => -value)
    const other = raisedBy(() => gptqFactor("mlp.down_proj", negative, size, { damping: 0.01, actOrder: false }))
    assert.match(other.message, /raise damping/)
  })
})

onEveryBackend("Hessians", (backend) => {
  it("are summed over tokens, once for the Linears that read the same inputs", async () => {
    const inputs = [tensor(backend, [1, 2, 3, 4], [1, 2, 2]), tensor(backend, [-1, 1], [1, 1, 2])]
    const collector = collectHessians((layer) => layer !== "other")
    for (const each of inputs) {
      for (const layer of ["q", "k", "other"]) collector.observe(layer, each)
      collector.observe("o", reshape(each, [each.size / 2, 2]))
    }
    const [q, k, o] = ["q", "k", "o"].map((layer) => collector.sums.get(layer)!)
    assert.strictEqual(k, q)
    assert.notStrictEqual(o, q)
    assert.isFalse(collector.sums.has("other"))
    for (const { sum, tokens } of [q!, o!]) {
      assert.strictEqual(tokens, 3)
      assert.deepStrictEqual([...(await sum.read())], [11, 13, 13, 21])
    }
    collector.release()
  })

  it("have each row multiplied by its own factor, wherever one call ends and the next begins", async () => {
    const inputs = [tensor(backend, [1, 2, 3, 4], [1, 2, 2]), tensor(backend, [-1, 1], [1, 1, 2])]
    const [ones, others] = [Float32Array.of(1, 1, 1), Float32Array.of(2, 1, 0)]
    const collector = collectHessians(
      () => true,
      (layer) => ({ ones, others })[layer]
    )
    for (const each of inputs) {
      // Layers with factors of their own read inputs of their own.
      for (const layer of ["ones", "others", "plain"]) collector.observe(layer, reshape(each, [each.size / 2, 2]))
    }
    const [one, other, plain] = ["ones", "others", "plain"].map((layer) => collector.sums.get(layer)!)
    assert.deepStrictEqual(await one!.sum.read(), await plain!.sum.read())
    // 4 [1 2; 2 4] + [9 12; 12 16]
    assert.deepStrictEqual([...(await other!.sum.read())], [13, 20, 20, 32])
    assert.strictEqual(other!.tokens, 3)
    collector.release()
  })
})
