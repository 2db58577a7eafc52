/**
 * SPEED-Q's bilevel quantizer (arXiv:2511.08914 §3; docs/method.md, "Bilevel quantizer"): b-bit codes and zero points
 * in groups of g input columns; the groups' scales are 4-bit codes that share a step and an origin over qq output rows.
 *
 *   first level    s = (max w - min w) / (2^b - 1),  z = clamp(rne(-min w / s), 0, 2^b - 1)
 *   second level   s' = origin + step c,  c in 0..15, step = (max s - min s) / 15, origin = min s
 *   weight         w' = s' (clamp(rne(w / s' + z), 0, 2^b - 1) - z)
 *
 * With the range "mse", s comes from BRECQ's search, and then each group takes the c and z of least squared error.
 */
import { laterOption, option, requiredOption, writtenAs } from "@speedq/formats"
import {
  adaroundScales,
  type BilevelAttributes,
  bilevelCodes,
  bilevelDecode,
  bilevelParameters,
  bilevelSearch,
  bilevelStraightThrough,
  customGradient,
  fakeQuantBilevel,
  joinColumns,
  reshape,
  type Shape,
  scale,
  scope,
  type Tensor,
  tensor,
  transpose,
  zeros
} from "@speedq/tensors"
import * as Schema from "effect/Schema"
import { configure } from "../quantizer/configure.ts"
import { columnObstacle, groupSize } from "../quantizer/optionSchemas.ts"
import type {
  GridParameters,
  QuantizedWeight,
  Quantizer,
  QuantizerChoice,
  SharedScales
} from "../quantizer/Quantizer.ts"
import type { BilevelOptions } from "../quantizer/quantizerOptions.ts"
import { largestHalf, largestSingle } from "./largest.ts"
import { fromStored, toStored } from "./wholeNumbers.ts"
import { within } from "./within.ts"

export const BilevelConfig = Schema.Struct({
  bits: requiredOption(Schema.Literals([2, 3, 4]), { description: "Bits of a weight's code.", unit: "bits" }),
  group: requiredOption(groupSize, {
    description:
      "Input columns that share a scale and a zero point. The reference's scripts take 16 at 2 bits and 32 at 4 bits.",
    unit: "columns"
  }),
  scaleGroup: requiredOption(groupSize, {
    description:
      "Output rows whose scales share a step and an origin. The reference's scripts take 16 at 2 bits and 128 at 4 bits.",
    unit: "rows"
  }),
  range: laterOption(Schema.Literals(["minmax", "mse"]), "minmax", {
    description:
      "Range of a group's grid: `minmax` from the smallest to the largest weight, `mse` searched for the smallest error that the stored scales allow. Training refuses `mse`: it would search in every step.",
    source: "minmax is the reference's; mse is BRECQ's choice (arXiv:2102.05426), carried to two levels"
  }),
  secondLevel: option(Schema.Literals(["f16", "f32"]), "f16", {
    description:
      "Format of step and origin. `f32` computes as the reference does and stores 32 bits more for each pair.",
    source: "the smallest that is exact in storage; f32 under `compat` reference: docs/quirks.md#quirk-5"
  }),
  commonScale: option(Schema.Literals(["exact", "reference"]), "exact", {
    description: "What equal scales become with `secondLevel` f32: themselves, or 0.0667 as in the reference.",
    source: "docs/quirks.md#quirk-10"
  }),
  arithmetic: option(Schema.Literals(["f32", "bf16"]), "f32", {
    description: "Format that every operation of the quantizer is rounded to.",
    source: "f32; bf16 under `compat` reference: docs/quirks.md#quirk-5"
  })
})
export type BilevelConfig = typeof BilevelConfig.Type

const scaleCodeBits = 4

/** Least scale of the first level. */
const smallestScale = 1e-5

const attributesOf = ({ range: _range, ...attributes }: BilevelConfig): BilevelAttributes => attributes

/** Extents of the stored tensors of a weight [out, in]. */
const extents = ({ group, scaleGroup }: BilevelConfig, shape: Shape) => {
  const [rows, columns] = shape as readonly [number, number]
  const groups = columns / group
  return { rows, groups, scaleGroups: (groups * rows) / scaleGroup }
}

/** The second-level scales [out, in / g]: what code 1 around zero point 0 stands for in groups of one column. */
const scalesOf = (
  config: BilevelConfig,
  { zeros, scaleCodes, step, origin }: QuantizedWeight,
  shape: Shape
): Tensor => {
  const { rows, groups } = extents(config, shape)
  const { backend } = zeros!
  const ones = tensor(backend, new Uint8Array(rows * groups).fill(1), [rows, groups], "u8")
  const nothing = tensor(backend, new Uint8Array(rows * groups), [groups, rows], "u8")
  const quantized = { codes: ones, zeros: nothing, scaleCodes: scaleCodes!, step: step!, origin: origin! }
  return bilevelDecode(quantized, { ...attributesOf(config), group: 1 })
}

/**
 * Step, origin and scale codes of first-level scales s [out, in / g], out of groups of three weights, 0, 0 and (2^b - 1) s, whose scale s
 * is. With b = 1 it is s to the bit.
 */
const secondLevel = (config: BilevelConfig, ends: Tensor, bits: number) => {
  const [rows, groups] = ends.shape as readonly [number, number]
  const high = reshape(ends, [ends.size, 1])
  const low = zeros(ends.backend, high.shape)
  const threes = reshape(joinColumns(low, low, high), [rows, 3 * groups])
  return bilevelCodes(threes, { ...attributesOf(config), bits, group: 3 })
}

/**
 * The stored form by search. A range that is best for a group alone is not what the second level can store, so the search has
 * two parts: BRECQ's, group by group, gives the scales that step and origin span; then each group takes, of all scales and
 * zero points that can be stored, those that suit its weights best.
 */
const search = (config: BilevelConfig, weight: Tensor): QuantizedWeight =>
  scope(() => {
    const attributes = attributesOf(config)
    const { bits, group } = config
    const { scale: found } = adaroundScales(weight, { bits, group, method: "mse" })
    const { step, origin } = secondLevel(config, scale(found, 2 ** bits - 1), bits)
    return { ...bilevelSearch({ weight, step, origin }, attributes), step, origin }
  })

/** First-level scales and zero points [out, in / g]: a second level that keeps each scale as it is shows them. */
const firstLevel = (config: BilevelConfig, weight: Tensor): { readonly scale: Tensor; readonly zero: Tensor } => {
  const alone = { ...attributesOf(config), scaleGroup: 1, secondLevel: "f32", commonScale: "exact" } as const
  const found = bilevelParameters(weight, alone)
  return { scale: transpose(found.scale), zero: transpose(found.zero) }
}

/** The nearest grid of scales and zero points [out, in / g]; a learned scale may have become nothing or less. */
const nearest = (config: BilevelConfig, scale: Tensor, zero: Tensor): GridParameters => {
  const most = config.secondLevel === "f16" ? largestHalf : largestSingle
  const { step, origin, scaleCodes } = secondLevel(config, within(scale, smallestScale, most), 1)
  const stored = { zeros: toStored(transpose(zero), config.bits), scaleCodes, step, origin }
  return { ...gridOf(config, stored, [scale.shape[0]!, scale.shape[1]! * config.group]), stored }
}

const quantize = (config: BilevelConfig, weight: Tensor): QuantizedWeight =>
  config.range === "mse" ? search(config, weight) : bilevelCodes(weight, attributesOf(config))

const dequantize = (config: BilevelConfig, { codes, zeros, scaleCodes, step, origin }: QuantizedWeight): Tensor =>
  bilevelDecode(
    { codes: codes!, zeros: zeros!, scaleCodes: scaleCodes!, step: step!, origin: origin! },
    attributesOf(config)
  )

/** Scales and zero points [out, in / g] in f32, out of the stored tensors other than the codes. */
const gridOf = (config: BilevelConfig, quantized: QuantizedWeight, shape: Shape) => ({
  scale: scalesOf(config, quantized, shape),
  zero: transpose(fromStored(quantized["zeros"]!))
})

/** Scales that whole runs of rows share: step and origin [in / g, out / qq] are stored for them. */
const sharedScales = (
  config: BilevelConfig,
  { zeros, scaleCodes, step, origin }: QuantizedWeight,
  shape: Shape
): SharedScales | undefined => {
  const { secondLevel, scaleGroup } = config
  const { rows, groups } = extents(config, shape)
  if (secondLevel !== "f16" || rows % scaleGroup !== 0 || scaleGroup % 4 !== 0) return undefined
  const byRows = (stored: Tensor): Tensor => transpose(reshape(stored, [groups, rows / scaleGroup]))
  return {
    scaleCodes: transpose(fromStored(scaleCodes!)),
    zero: transpose(fromStored(zeros!)),
    origin: byRows(origin!),
    step: byRows(step!)
  }
}

/** What a search finds, as the weight that it stands for; the gradient passes where the found grid reaches. */
const searchedWeight = (config: BilevelConfig, weight: Tensor): Tensor => {
  const [y] = customGradient("bilevel", [weight], () => {
    const quantized = search(config, weight)
    const grid = gridOf(config, quantized, weight.shape)
    return {
      outputs: [dequantize(config, quantized)] as const,
      saved: [weight, transpose(grid.scale), transpose(grid.zero)],
      backward: ([dy], [saved, savedScale, savedZero]) => [
        dy && bilevelStraightThrough({ dy, weight: saved!, scale: savedScale!, zero: savedZero! }, attributesOf(config))
      ]
    }
  })
  return y
}

export const bilevelQuantizer: Quantizer<BilevelConfig> = {
  id: "bilevel",
  version: 1,
  Config: writtenAs<BilevelOptions>()(BilevelConfig),
  // b for the code, b / g for the zero point, 4 / g for the scale code, two second-level numbers per g * qq weights.
  bitsPerWeight: ({ bits, group, scaleGroup, secondLevel }) =>
    bits + bits / group + scaleCodeBits / group + (secondLevel === "f16" ? 32 : 64) / (group * scaleGroup),
  obstacle: ({ group, scaleGroup }, shape) => {
    const [rows = 0, columns = 0] = shape
    const obstacle = columnObstacle(group, shape)
    if (obstacle !== undefined) return obstacle
    const groups = columns / group
    if ((groups * rows) % scaleGroup === 0) return undefined
    return `${groups} groups of ${rows} rows are not a multiple of scaleGroup ${scaleGroup}`
  },
  // The search adds up powers of errors in f32, which larger weights would exceed.
  largestWeight: ({ secondLevel, range }) => (secondLevel === "f16" || range === "mse" ? largestHalf : largestSingle),
  searches: ({ range }) => range === "mse",
  fakeQuantize: (config, weight) =>
    scope(() =>
      config.range === "mse" ? searchedWeight(config, weight) : fakeQuantBilevel(weight, attributesOf(config))
    ),
  stored: (config, shape) => {
    const { rows, groups, scaleGroups } = extents(config, shape)
    const perGroup = { dtype: "u8", shape: [groups, rows] } as const
    const second = { dtype: config.secondLevel, bits: config.secondLevel === "f16" ? 16 : 32, shape: [scaleGroups] }
    const origin = config.secondLevel === "f16" ? "scale of code 0" : "zero point of the scale codes"
    return [
      { name: "codes", dtype: "u8", shape, bits: config.bits, meaning: "code of every weight, row-major" },
      { name: "zeros", ...perGroup, bits: config.bits, meaning: "zero point of group j of row o at [j, o]" },
      { name: "scaleCodes", ...perGroup, bits: scaleCodeBits, meaning: "scale code at [j, o]" },
      { name: "step", ...second, meaning: "second-level step, qq consecutive scale codes each" },
      { name: "origin", ...second, meaning: origin }
    ]
  },
  quantize,
  dequantize,
  affine: {
    extents: ({ arithmetic, bits, group }) => (arithmetic === "f32" ? { bits, group } : undefined),
    decoder: (config, quantized, shape) => scope(() => gridOf(config, quantized, shape)),
    sharedScales: (config, quantized, shape) => scope(() => sharedScales(config, quantized, shape))
  },
  grid: {
    extents: ({ bits, group }) => ({ bits, group }),
    parameters: (config, weight) =>
      scope(() => {
        const { codes: _codes, ...stored } = quantize(config, weight)
        return { ...gridOf(config, stored, weight.shape), stored }
      }),
    range: (config, weight) =>
      scope(() =>
        config.range === "mse" ? gridOf(config, search(config, weight), weight.shape) : firstLevel(config, weight)
      ),
    nearest: (config, scale, zero) => scope(() => nearest(config, scale, zero)),
    sharesScales: true
  }
}

/** The bilevel quantizer with options, for recipes in code. 2 bits: g 16, qq 16; 4 bits: g 32, qq 128. Raises QuantizerConfigInvalid. */
export const bilevel = (options: BilevelOptions): QuantizerChoice<BilevelConfig> => configure(bilevelQuantizer, options)
