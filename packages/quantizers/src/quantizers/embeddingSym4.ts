/**
 * 4-bit symmetric groups for the embedding and the head (docs/method.md, "Embedding and head"): weights rounded to half
 * precision, then codes around zero point 7. Quantized once from the original weights; an option of stage 3 trains the head.
 *
 *   s = 2 max|w| / 15,  w' = s (clamp(rne(w / s + 7), 0, 15) - 7)
 */
import { option, writtenAs } from "@speedq/formats"
import {
  cast,
  customGradient,
  gridCodes,
  gridDecode,
  scale as scaleBy,
  scope,
  type Tensor,
  uniformParameters
} from "@speedq/tensors"
import * as Schema from "effect/Schema"
import { configure } from "../quantizer/configure.ts"
import { columnObstacle, groupSize } from "../quantizer/optionSchemas.ts"
import type { Quantizer, QuantizerChoice } from "../quantizer/Quantizer.ts"
import type { EmbeddingSym4Options } from "../quantizer/quantizerOptions.ts"
import { largestHalf } from "./largest.ts"
import { filled } from "./within.ts"

export const EmbeddingSym4Config = Schema.Struct({
  group: option(groupSize, 32, {
    description: "Input columns that share a scale.",
    unit: "columns",
    source: "the reference"
  }),
  grid: option(Schema.Literals(["reference", "absmax7"]), "reference", {
    description:
      "Scale of a group with largest weight a: `reference` takes 2 a / 15, whose code 15 is never used; `absmax7` takes a / 7, which keeps the largest weight.",
    source: "docs/quirks.md#quirk-4"
  }),
  requantizePasses: option(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 })), 1, {
    description: "How often the result is quantized again, as the reference does; each pass shrinks it by 14/15.",
    unit: "passes",
    source: "1; 1, 2 or 3 by stage under `compat` reference: docs/quirks.md#quirk-3"
  }),
  scale: option(Schema.Literals(["f16", "f32"]), "f16", {
    description: "Format that scales are rounded to and stored in.",
    source: "the reference"
  }),
  arithmetic: option(Schema.Literals(["f32", "f16"]), "f32", {
    description:
      "Format that every operation of the quantizer is rounded to, the scale before it finds codes included.",
    source: "f32; f16 under `compat` reference: docs/quirks.md#quirk-5"
  })
})
export type EmbeddingSym4Config = typeof EmbeddingSym4Config.Type

const bits = 4
const zeroPoint = 7

const zeroPoints = (scale: Tensor): Tensor => filled(scale, zeroPoint)

const symmetric = { symmetric: true, rounding: "sum", roundZero: true, rangeGradient: false } as const

/** 2 a / 15, or a / 7 as half of 2 a / 7: the range over the steps of 4 and of 3 bits. */
const scales = ({ group, grid }: EmbeddingSym4Config, weight: Tensor): Tensor =>
  grid === "reference"
    ? uniformParameters(weight, { ...symmetric, bits, group }).scale
    : scaleBy(uniformParameters(weight, { ...symmetric, bits: 3, group }).scale, 0.5)

const toHalf = (x: Tensor): Tensor => cast(cast(x, "f16"), "f32")

/**
 * Codes and stored scale after one pass. In single precision, codes are found with the scale before it is rounded to half
 * precision: the largest weight is then 7.5 steps and takes code 14 by the rule of ties, never 15 (docs/quirks.md#quirk-4).
 */
const quantizeOnce = (config: EmbeddingSym4Config, weight: Tensor) =>
  scope(() => {
    const { arithmetic } = config
    const halved = toHalf(weight)
    const single = scales(config, halved)
    // Rounding the f32 quotient again is what dividing halves gives: 24 bits are enough for that.
    const scale = arithmetic === "f16" ? toHalf(single) : single
    return {
      codes: gridCodes(halved, scale, zeroPoints(scale), bits, arithmetic),
      scale: config.scale === "f16" ? toHalf(scale) : scale
    }
  })

const decode = ({ arithmetic }: EmbeddingSym4Config, codes: Tensor, scale: Tensor): Tensor =>
  scope(() => {
    const exact = gridDecode(codes, scale, zeroPoints(scale), bits)
    return arithmetic === "f16" ? toHalf(exact) : exact
  })

/** Codes and scale after all passes. */
const quantizeFully = (config: EmbeddingSym4Config, weight: Tensor) =>
  scope(() => {
    let result = quantizeOnce(config, weight)
    for (let pass = 1; pass < config.requantizePasses; pass++) {
      result = quantizeOnce(config, decode(config, result.codes, result.scale))
    }
    return result
  })

const scaleBits = ({ scale }: EmbeddingSym4Config): number => (scale === "f16" ? 16 : 32)

export const embeddingSym4Quantizer: Quantizer<EmbeddingSym4Config> = {
  id: "embedding-sym4",
  version: 1,
  rowwise: true,
  Config: writtenAs<EmbeddingSym4Options>()(EmbeddingSym4Config),
  bitsPerWeight: (config) => bits + scaleBits(config) / config.group,
  obstacle: ({ group }, shape) => columnObstacle(group, shape),
  largestWeight: () => largestHalf,
  // No weight is further than half a step from the grid of its group, so that the gradient passes everywhere.
  fakeQuantize: (config, weight) =>
    scope(() => {
      const [y] = customGradient("embedding-sym4", [weight], () => {
        const { codes, scale } = quantizeFully(config, weight)
        return { outputs: [decode(config, codes, scale)] as const, saved: [], backward: ([dy]) => [dy?.alias()] }
      })
      return y
    }),
  stored: (config, shape) => [
    { name: "codes", dtype: "u8", shape, bits, meaning: "code of every weight, row-major; zero point 7" },
    {
      name: "scale",
      dtype: config.scale,
      shape: [shape[0]!, shape[1]! / config.group],
      bits: scaleBits(config),
      meaning: "scale of group j of row o at [o, j]"
    }
  ],
  quantize: quantizeFully,
  affine: {
    extents: ({ arithmetic, group }) => (arithmetic === "f32" ? { bits, group, commonZero: zeroPoint } : undefined),
    decoder: (_, { scale }) => ({ scale: scale!.alias(), zero: zeroPoints(scale!) })
  },
  dequantize: (config, { codes, scale }) => decode(config, codes!, scale!)
}

/** The embedding quantizer with options, for recipes in code. Raises QuantizerConfigInvalid. */
export const embeddingSym4 = (options: EmbeddingSym4Options = {}): QuantizerChoice<EmbeddingSym4Config> =>
  configure(embeddingSym4Quantizer, options)
