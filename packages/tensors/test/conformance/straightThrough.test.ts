/**
 * Straight-through gradients against their definitions: central differences of the surrogate, in which what rounding added is a
 * constant and what is clamped stays clamped.
 */
import { assert, describe, it } from "vitest"
import {
  type BilevelAttributes,
  bilevelParameters,
  type CodebookAttributes,
  codebookParameters,
  doubleValues,
  fakeQuantBilevel,
  fakeQuantCodebook,
  fakeQuantUniform,
  makeReferenceBackend,
  multiply,
  Random,
  scope,
  sum,
  type Tensor,
  tensor,
  type UniformAttributes,
  uniformParameters,
  valueAndGrad
} from "../../src/index.ts"
import { finiteDifferences } from "../tolerances.ts"
import { assertClose } from "./compare.ts"

const backend = makeReferenceBackend()
const rows = 4
const columns = 48
const group = 16
const shape = [rows, columns]
const step = 1e-6

const draw = (stream: string, spread = 1): Float64Array => {
  const random = Random.make(21, stream)
  return Float64Array.from({ length: rows * columns }, () => Math.fround(spread * random.nextNormal()))
}

const gradientOf = (w: Float64Array, dy: Float64Array, quantize: (weight: Tensor) => Tensor): Float64Array =>
  scope(() => {
    const cotangent = tensor(backend, Array.from(dy), shape)
    const { gradients } = valueAndGrad((p: { readonly w: Tensor }) => ({
      loss: sum(multiply(quantize(p.w), cotangent)),
      auxiliary: undefined
    }))({ w: tensor(backend, Array.from(w), shape) })
    return Float64Array.from(doubleValues(gradients.w))
  })

/** Values of tensors that `body` makes. */
const valuesOf = <T extends { readonly [name: string]: Tensor }>(
  body: () => T
): { readonly [K in keyof T]: Float64Array } =>
  scope(() => {
    const tensors = Object.entries(body())
    return Object.fromEntries(tensors.map(([name, tensor]) => [name, Float64Array.from(doubleValues(tensor))]))
  }) as { readonly [K in keyof T]: Float64Array }

/** d(dy . surrogate)/dw by central differences. */
const differencesOf = (w: Float64Array, dy: Float64Array, surrogate: (w: Float64Array) => ArrayLike<number>) => {
  const loss = (moved: Float64Array): number => {
    const y = surrogate(moved)
    return dy.reduce((total, value, i) => total + value * y[i]!, 0)
  }
  return w.map((value, i) => {
    const at = (shift: number) => {
      const moved = Float64Array.from(w)
      moved[i] = value + shift
      return loss(moved)
    }
    return (at(step) - at(-step)) / (2 * step)
  })
}

const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high)

describe("straight-through gradients", () => {
  it("of bilevel quantization: the identity inside each group's range, nothing outside", () => {
    const attributes: BilevelAttributes = {
      bits: 2,
      group,
      scaleGroup: rows,
      secondLevel: "f32",
      commonScale: "exact",
      arithmetic: "f32"
    }
    // Shifted weights have ranges that their own scale does not span.
    const w = draw("bilevel", 0.05).map((value, i) => Math.fround(value + (i % columns < group ? 0.1 : 0)))
    const dy = draw("bilevel dy")
    const { scale, zero } = valuesOf(() => bilevelParameters(tensor(backend, Array.from(w), shape), attributes))
    const parametersAt = (i: number) => {
      const row = Math.floor((i % columns) / group) * rows + Math.floor(i / columns)
      return [scale[row]!, zero[row]!] as const
    }
    const surrogate = (moved: Float64Array) =>
      moved.map((value, i) => {
        const [s, z] = parametersAt(i)
        return clamp(value, -s * z, s * (3 - z))
      })
    const gradient = gradientOf(w, dy, (weight) => fakeQuantBilevel(weight, attributes))
    const expected = differencesOf(w, dy, surrogate)
    assertClose("bilevel", shape, gradient, expected, finiteDifferences)
    const inside = gradient.filter((value) => value !== 0).length
    assert.isTrue(inside > 0 && inside < gradient.length, "both inside and outside occur")
  })

  it("of uniform quantization without the range", () => {
    const attributes: UniformAttributes = {
      bits: 3,
      group,
      symmetric: true,
      rounding: "sum",
      roundZero: true,
      rangeGradient: false
    }
    const w = draw("uniform", 0.05)
    const dy = draw("uniform dy")
    const { scale, zero } = valuesOf(() => uniformParameters(tensor(backend, Array.from(w), shape), attributes))
    const surrogate = (moved: Float64Array) =>
      moved.map((value, i) => {
        const [s, z] = [scale[Math.floor(i / group)]!, zero[Math.floor(i / group)]!]
        return clamp(value, -s * z, s * (7 - z))
      })
    const gradient = gradientOf(w, dy, (weight) => fakeQuantUniform(weight, attributes))
    assertClose("uniform", shape, gradient, differencesOf(w, dy, surrogate), finiteDifferences)
  })

  it.each([
    { symmetric: false, rounding: "halfAwayThenZero" },
    { symmetric: false, rounding: "sum" },
    { symmetric: true, rounding: "nearestThenZero" }
  ] as const)("of uniform quantization through the range: %o", ({ symmetric, rounding }) => {
    const attributes: UniformAttributes = { bits: 2, group, symmetric, rounding, roundZero: true, rangeGradient: true }
    const w = draw("range", 0.05)
    const dy = draw("range dy")
    const { y, scale, zero } = valuesOf(() => uniformParameters(tensor(backend, Array.from(w), shape), attributes))
    const scaleAt = (values: Float64Array) => {
      const [low, high] = [Math.min(...values), Math.max(...values)]
      return (symmetric ? 2 * Math.max(Math.abs(low), Math.abs(high)) : high - low) / 3
    }
    const surrogate = (moved: Float64Array) =>
      moved.map((value, i) => {
        const index = Math.floor(i / group)
        const s = scaleAt(moved.subarray(index * group, (index + 1) * group))
        const [base, z] = [scale[index]!, zero[index]!]
        const steps = y[i]! / base
        // A code at an end that rounding alone would have taken further is clamped and stays there.
        const rounded = rounding === "sum" ? Math.round(w[i]! / base + z) - z : Math.round(w[i]! / base)
        const isClamped = Math.abs(rounded - steps) > 0.5
        return isClamped ? s * steps : s * (value / s + steps - w[i]! / base)
      })
    const gradient = gradientOf(w, dy, (weight) => fakeQuantUniform(weight, attributes))
    assertClose("range", shape, gradient, differencesOf(w, dy, surrogate), { relative: 1e-5, absolute: 1e-5 })
  })

  it("of codebook quantization through both scales", () => {
    const attributes: CodebookAttributes = { group, levels: [-1, -0.5, -0.25, 0, 0.2, 0.4, 0.6, 1] }
    const w = draw("codebook", 0.05)
    const dy = draw("codebook dy")
    const { y, negative, positive } = valuesOf(() =>
      codebookParameters(tensor(backend, Array.from(w), shape), attributes)
    )
    const surrogate = (moved: Float64Array) =>
      moved.map((value, i) => {
        const index = Math.floor(i / group)
        const own = moved.subarray(index * group, (index + 1) * group)
        const isPositive = w[i]! >= 0
        const s = isPositive ? Math.max(...own) : -Math.min(...own)
        const base = isPositive ? positive[index]! : negative[index]!
        return s * (value / s + (y[i]! - w[i]!) / base)
      })
    const gradient = gradientOf(w, dy, (weight) => fakeQuantCodebook(weight, attributes))
    assertClose("codebook", shape, gradient, differencesOf(w, dy, surrogate), { relative: 1e-5, absolute: 1e-5 })
  })
})
