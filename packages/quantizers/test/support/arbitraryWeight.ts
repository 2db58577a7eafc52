/** Quantizers under test, and weights that are hard on them. */
import { Random } from "@speedq/tensors"
import fc from "fast-check"
import { bilevel, embeddingSym4, flatAsymmetric, n2f3, none, type QuantizerChoice, uniform } from "../../src/index.ts"

export interface Candidate {
  readonly name: string
  readonly choice: QuantizerChoice
  /** Input columns that share a scale. */
  readonly group: number
  /** Numbers of rows that the quantizer takes are multiples of this. */
  readonly rowUnit: number
  /** Whether few rows are multiplied by its codes. */
  readonly affine: boolean
}

const candidate = (name: string, choice: QuantizerChoice, group: number, rowUnit = 1): Candidate => ({
  name,
  choice,
  group,
  rowUnit,
  affine: false
})

/** One whose codes of 2 or 4 bits, in groups of a multiple of 16 or 8, stand for scale (code - zero). */
const affine = (...parameters: Parameters<typeof candidate>): Candidate => ({
  ...candidate(...parameters),
  affine: true
})

/** Every quantizer of the registry with every option at least once, many with odd groups. */
export const candidates: readonly Candidate[] = [
  affine("bilevel 2 bits", bilevel({ bits: 2, group: 16, scaleGroup: 16 }), 16, 16),
  candidate("bilevel 3 bits", bilevel({ bits: 3, group: 7, scaleGroup: 3 }), 7, 3),
  affine("bilevel 4 bits", bilevel({ bits: 4, group: 32, scaleGroup: 128 }), 32, 128),
  candidate("bilevel f32", bilevel({ bits: 2, group: 5, scaleGroup: 2, secondLevel: "f32" }), 5, 2),
  candidate(
    "bilevel as the reference",
    bilevel({
      bits: 2,
      group: 16,
      scaleGroup: 4,
      secondLevel: "f32",
      commonScale: "reference",
      arithmetic: "bf16"
    }),
    16,
    4
  ),
  affine("bilevel 2 bits, searched", bilevel({ bits: 2, group: 16, scaleGroup: 16, range: "mse" }), 16, 16),
  candidate(
    "bilevel 3 bits f32, searched",
    bilevel({ bits: 3, group: 7, scaleGroup: 3, secondLevel: "f32", range: "mse" }),
    7,
    3
  ),
  candidate(
    "bilevel as the reference, searched",
    bilevel({
      bits: 2,
      group: 16,
      scaleGroup: 4,
      secondLevel: "f32",
      commonScale: "reference",
      arithmetic: "bf16",
      range: "mse"
    }),
    16,
    4
  ),
  affine("uniform 2 bits", uniform({ bits: 2, group: 16 }), 16),
  candidate("uniform 3 bits, 0 inside", uniform({ bits: 3, group: 9, range: "zero" }), 9),
  affine("uniform 4 bits, searched", uniform({ bits: 4, group: 8, range: "mse" }), 8),
  candidate("uniform 4 bits, symmetric", uniform({ bits: 4, group: 11, symmetric: true }), 11),
  candidate("uniform 8 bits, f32 scales", uniform({ bits: 8, group: 13, scale: "f32" }), 13),
  candidate("int2-asym", flatAsymmetric(2, { group: 10 }), 10),
  candidate("int2-asym, even groups", flatAsymmetric(2, { group: 24 }), 24),
  candidate("int3-asym", flatAsymmetric(3, { group: 16 }), 16),
  candidate("n2f3", n2f3({ group: 9 }), 9),
  affine("embedding-sym4", embeddingSym4(), 32),
  candidate("embedding-sym4, own grid", embeddingSym4({ group: 7, grid: "absmax7", scale: "f32" }), 7),
  affine("embedding-sym4, three passes", embeddingSym4({ group: 16, requantizePasses: 3 }), 16),
  candidate("none", none, 5)
]

/** Some with groups that products by codes take in other ways. */
export const otherGroups: readonly Candidate[] = [
  affine("int2-asym, groups of three lanes", flatAsymmetric(2, { group: 48 }), 48),
  affine("bilevel 2 bits, groups of a chunk", bilevel({ bits: 2, group: 64, scaleGroup: 4 }), 64, 4)
]

/** Fills one group; `limit` is the largest weight that the quantizer takes. */
type Filling = (random: Random, limit: number) => (index: number) => number

const fillings: { readonly [name: string]: Filling } = {
  normal: (random) => () => 0.02 * random.nextNormal(),
  outlier: (random) => (i) => (i === 0 ? -2 : 0.02 * random.nextNormal()),
  positive: (random) => () => 0.1 + random.nextUniform(),
  negative: (random) => () => -0.1 - random.nextUniform(),
  zero: () => () => 0,
  negativeZero: () => () => -0,
  constant: (random) => {
    const value = random.nextNormal()
    return () => value
  },
  twoValues: (random) => {
    const value = random.nextNormal()
    return (i) => (i % 2 === 0 ? value : -value)
  },
  ties: (random) => () => (random.nextInteger(17) - 8) / 4,
  tiny: (random) => () => 1e-30 * random.nextNormal(),
  subnormal: (random) => () => 1e-42 * random.nextNormal(),
  huge: (random, limit) => () => limit * (2 * random.nextUniform() - 1),
  largest: (_, limit) => (i) => (i % 3 === 0 ? limit : -limit)
}

export interface ArbitraryWeight {
  readonly rows: number
  readonly columns: number
  readonly values: Float32Array
}

/** Weights of odd shapes whose groups are of all kinds. */
export const arbitraryWeight = ({ choice, group, rowUnit }: Candidate): fc.Arbitrary<ArbitraryWeight> => {
  const limit = choice.quantizer.largestWeight?.(choice.config) ?? 3e38
  return fc
    .record({
      rows: fc.integer({ min: 1, max: Math.ceil(6 / rowUnit) }).map((count) => count * rowUnit),
      groups: fc.integer({ min: 1, max: 3 }),
      seed: fc.integer({ min: 0, max: 2 ** 31 }),
      kinds: fc.array(fc.constantFrom(...Object.keys(fillings)), { minLength: 1, maxLength: 12 })
    })
    .map(({ rows, groups, seed, kinds }) => {
      const random = Random.make(seed)
      const values = new Float32Array(rows * groups * group)
      for (let at = 0; at < rows * groups; at++) {
        const next = fillings[kinds[at % kinds.length]!]!(random, limit)
        for (let i = 0; i < group; i++) values[at * group + i] = next(i)
      }
      return { rows, columns: groups * group, values }
    })
}
