/** The asymmetric clipping search (fixtures/quantizers/autoclip-*; docs/method.md, "Clipping search"). */
import { type ClippingOptions, clipWeight, inputMoments, searchClipping } from "@speedq/quantizers"
import type { Check } from "../Check.ts"
import { type Comparison, compare, strays } from "../compare.ts"
import type { Fixture } from "../Fixture.ts"

const near = { relative: 1e-5, absolute: 1e-6 }
const isNear = (a: number, b: number): boolean => Math.abs(a - b) <= near.absolute + near.relative * Math.abs(b)

type Numbers = ArrayLike<number>
interface Ranges {
  readonly max: Numbers
  readonly min: Numbers
}

/** w clamped to [min, max] and rounded to the nearest of 2^b codes. */
const quantized = (w: number, min: number, max: number, bits: number): number => {
  const levels = 2 ** bits - 1
  const even = (x: number) => 2 * Math.round(x / 2)
  const nearest = (x: number) => (Math.abs(x % 1) === 0.5 ? even(x) : Math.round(x))
  const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high)
  const scale = Math.fround(Math.max(max - min, 1e-5) / levels)
  const zero = clamp(-nearest(Math.fround(min / scale)), 0, levels)
  return (clamp(nearest(Math.fround(clamp(w, min, max) / scale)) + zero, 0, levels) - zero) * scale
}

/** mean_t (x_t . (q - w))^2 of group `index` of the fixture's weight under a range. */
const groupError = (fixture: Fixture, rows: Numbers, index: number, { max, min }: Ranges): number => {
  const group = fixture.number("group")
  const bits = fixture.number("bits")
  const columns = fixture.shape("weight")[1]!
  const weight = fixture.numbers("weight").subarray(index * group, (index + 1) * group)
  const change = Float64Array.from(weight, (w) => quantized(w, min[index]!, max[index]!, bits) - w)
  const inputs = fixture.numbers("inputs")
  let sum = 0
  for (const row of Array.from(rows)) {
    const start = row * columns + ((index * group) % columns)
    sum += change.reduce((total, d, i) => total + d * inputs[start + i]!, 0) ** 2
  }
  return sum / rows.length
}

/** The reference takes every floor(N / samples)-th token. */
const sampledRows = (tokens: number, samples: number): Int32Array => {
  const stride = Math.floor(tokens / samples)
  return Int32Array.from({ length: Math.ceil(tokens / stride) }, (_, i) => i * stride)
}

export const clippingCheck: Check = {
  matches: /quantizers\/autoclip-/,
  run: async (fixture, backend) => {
    const options: ClippingOptions = {
      bits: fixture.number("bits"),
      group: fixture.number("group"),
      gridSize: fixture.number("grid"),
      maxShrink: fixture.number("max_shrink"),
      sampleTokens: fixture.number("sample_tokens")
    }
    const weight = fixture.load(backend, "weight")
    const moments = inputMoments(fixture.name, fixture.load(backend, "inputs"), options)
    const found = searchClipping(weight, moments, options)
    const clipped = await clipWeight(weight, found).read()
    const actual = { max: await found.max.read(), min: await found.min.read() }
    const expected = { max: fixture.numbers("max"), min: fixture.numbers("min") }
    const isSame = (i: number) => isNear(actual.max[i]!, expected.max[i]!) && isNear(actual.min[i]!, expected.min[i]!)
    const differing = Array.from(actual.max.keys()).filter((i) => !isSame(i))

    const groups = actual.max.length
    const share = differing.length / groups
    const allowed = strays(groups, 0.995)
    const pairs: Comparison = {
      what: `same range in ${(100 * (1 - share)).toFixed(2)} % of the groups`,
      error: differing.length / allowed,
      difference: share,
      ok: differing.length <= allowed
    }
    const rows = sampledRows(fixture.shape("inputs")[0]!, options.sampleTokens)
    const excess = differing.map(
      (i) => groupError(fixture, rows, i, actual) / groupError(fixture, rows, i, expected) - 1
    )
    const worst = Math.max(0, ...excess)
    const errors: Comparison = {
      what: "error where the range differs",
      error: worst / 0.001,
      difference: worst,
      ok: worst <= 0.001
    }
    const inSame = (values: Numbers) =>
      Float32Array.from(values).filter((_, i) => isSame(Math.floor(i / options.group)))
    return [pairs, errors, compare("clipped", inSame(clipped), inSame(fixture.numbers("clipped")), near)]
  }
}
