/** One level of scales: codes of b bits in groups of g input columns, asymmetric or symmetric, rounded to nearest. */
import { option, requiredOption, writtenAs } from "@speedq/formats"
import {
  adaroundScales,
  cast,
  customGradient,
  gridCodes,
  gridDecode,
  type Shape,
  scope,
  type Tensor,
  type UniformAttributes,
  uniformParameters,
  uniformStraightThrough
} from "@speedq/tensors"
import * as Schema from "effect/Schema"
import { configure } from "../quantizer/configure.ts"
import { columnObstacle, groupSize } from "../quantizer/optionSchemas.ts"
import type { Quantizer, QuantizerChoice } from "../quantizer/Quantizer.ts"
import type { UniformOptions } from "../quantizer/quantizerOptions.ts"
import { largestHalf, largestSingle } from "./largest.ts"
import { fromStored, toStored } from "./wholeNumbers.ts"
import { filled, within } from "./within.ts"

export const UniformConfig = Schema.Struct({
  bits: requiredOption(Schema.Literals([2, 3, 4, 8]), { description: "Bits of a weight's code.", unit: "bits" }),
  group: requiredOption(groupSize, {
    description: "Input columns that share a scale and a zero point.",
    unit: "columns"
  }),
  symmetric: option(Schema.Boolean, false, {
    description:
      "Takes the range [-a, a] with one zero point for all groups, which is not stored. Needs `range` minmax.",
    source: "off: an asymmetric range wastes no codes"
  }),
  range: option(Schema.Literals(["minmax", "zero", "mse"]), "minmax", {
    description:
      "Range of a group's grid: `minmax` from the smallest to the largest weight, `zero` the same with 0 inside, `mse` that one shrunk to what a search finds best. Training refuses `mse`: it would search in every step.",
    source: "minmax as the first level of `bilevel`; mse is BRECQ's choice (arXiv:2102.05426)"
  }),
  scale: option(Schema.Literals(["f16", "f32"]), "f16", {
    description: "Format that scales are rounded to and stored in.",
    source: "chosen here: half the bytes"
  })
}).check(
  Schema.makeFilter(({ symmetric, range }) => !symmetric || range === "minmax" || `range "${range}" is asymmetric`)
)
export type UniformConfig = typeof UniformConfig.Type

const attributesOf = ({ bits, group, symmetric }: UniformConfig): UniformAttributes => ({
  bits,
  group,
  symmetric,
  rounding: "sum",
  roundZero: true,
  rangeGradient: false
})

/** Least scale in f32: a weight is divided by it. */
const smallestSingle = 2 ** -126

/** Scales as halves, none of them 0: a group of almost nothing must not divide by its scale's rounding error. */
const halved = (scale: Tensor): Tensor => cast(cast(within(scale, 2 ** -24, largestHalf), "f16"), "f32")

/** The nearest scale that is stored; one that was learned may have become nothing or less. */
const storable = ({ scale: format }: UniformConfig, scale: Tensor): Tensor =>
  format === "f16" ? halved(scale) : within(scale, smallestSingle, largestSingle)

/** Scale and zero point [N, K / g], the scale as it will be stored. */
const parameters = (config: UniformConfig, weight: Tensor): { readonly scale: Tensor; readonly zero: Tensor } => {
  const { bits, group, range } = config
  const { scale, zero } =
    range === "minmax"
      ? uniformParameters(weight, attributesOf(config))
      : adaroundScales(weight, { bits, group, method: range === "zero" ? "max" : "mse" })
  return { scale: config.scale === "f16" ? halved(scale) : scale, zero }
}

const scaleBits = ({ scale }: UniformConfig): number => (scale === "f16" ? 16 : 32)

/** Bits that a zero point is stored in; none for a symmetric grid, whose zero points are the same everywhere. */
const zeroBits = ({ bits, symmetric }: UniformConfig): number => (symmetric ? 0 : bits)

/** Zero points in stored form, under their name. */
const storedZeros = ({ bits, symmetric }: UniformConfig, zero: Tensor): { readonly zeros?: Tensor } =>
  symmetric ? {} : { zeros: toStored(zero, bits) }

/** The zero point of a symmetric grid. */
const middle = ({ bits }: UniformConfig): number => 2 ** (bits - 1) - 1

/** Zero points to compute with, out of their stored form or, for a symmetric grid, out of nothing. */
const zerosOf = (config: UniformConfig, scale: Tensor, zeros: Tensor | undefined): Tensor =>
  zeros === undefined ? filled(scale, middle(config)) : fromStored(zeros)

export const uniformQuantizer: Quantizer<UniformConfig> = {
  id: "uniform",
  // 2: zero points of the range "mse" are codes, too.
  version: 2,
  rowwise: true,
  Config: writtenAs<UniformOptions>()(UniformConfig),
  bitsPerWeight: (config) => config.bits + (zeroBits(config) + scaleBits(config)) / config.group,
  obstacle: ({ group }, shape) => columnObstacle(group, shape),
  // The search adds up powers of errors in f32, which larger weights would exceed.
  largestWeight: ({ scale, range }) => (scale === "f16" || range === "mse" ? largestHalf : largestSingle),
  searches: ({ range }) => range === "mse",
  fakeQuantize: (config, weight) =>
    scope(() => {
      const [y] = customGradient("uniform", [weight], () => {
        const { scale, zero } = parameters(config, weight)
        return {
          outputs: [gridDecode(gridCodes(weight, scale, zero, config.bits), scale, zero, config.bits)] as const,
          saved: [weight, scale, zero],
          backward: ([dy], [saved, savedScale, savedZero]) => [
            dy &&
              uniformStraightThrough({ dy, weight: saved!, scale: savedScale!, zero: savedZero! }, attributesOf(config))
          ]
        }
      })
      return y
    }),
  stored: (config, shape) => {
    const [rows, columns] = shape as readonly [number, number]
    const groups: Shape = [rows, columns / config.group]
    const zeros = {
      name: "zeros",
      dtype: "u8" as const,
      bits: zeroBits(config),
      shape: groups,
      meaning: "zero point of group j of row o at [o, j]"
    }
    return [
      { name: "codes", dtype: "u8", shape, bits: config.bits, meaning: "code of every weight, row-major" },
      { name: "scale", dtype: config.scale, shape: groups, bits: scaleBits(config), meaning: "scale at [o, j]" },
      ...(config.symmetric ? [] : [zeros])
    ]
  },
  quantize: (config, weight) =>
    scope(() => {
      const { scale, zero } = parameters(config, weight)
      return { codes: gridCodes(weight, scale, zero, config.bits), scale, ...storedZeros(config, zero) }
    }),
  dequantize: (config, { codes, scale, zeros }) =>
    scope(() => gridDecode(codes!, scale!, zerosOf(config, scale!, zeros), config.bits)),
  affine: {
    extents: (config) => {
      const { bits, group, symmetric } = config
      return { bits, group, ...(symmetric ? { commonZero: middle(config) } : {}) }
    },
    decoder: (config, { scale, zeros }) => ({ scale: scale!.alias(), zero: zerosOf(config, scale!, zeros) })
  },
  grid: {
    extents: ({ bits, group }) => ({ bits, group }),
    parameters: (config, weight) =>
      scope(() => {
        const { scale, zero } = parameters(config, weight)
        return { scale, zero, stored: { scale: scale.alias(), ...storedZeros(config, zero) } }
      }),
    nearest: (config, scale, zero) =>
      scope(() => {
        const kept = storable(config, scale)
        const stored = { scale: kept.alias(), ...storedZeros(config, zero) }
        return { scale: kept, zero: zerosOf(config, kept, stored.zeros), stored }
      })
  }
}

/** The uniform quantizer with options, for recipes in code. Raises QuantizerConfigInvalid. */
export const uniform = (options: UniformOptions): QuantizerChoice<UniformConfig> => configure(uniformQuantizer, options)
