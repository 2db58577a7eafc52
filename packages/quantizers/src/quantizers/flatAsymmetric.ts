/**
 * The reference's flat straight-through quantizers int2-asym and int3-asym (docs/method.md, "Flat quantizers"): one
 * scale and zero point a group, halves rounded away from zero, and a gradient that also flows through the range, as
 * autograd gives it.
 *
 *   s = (max w - min w) / (2^b - 1),  z = clamp(-rne(min w / s), 0, 2^b - 1),  w' = s (clamp(rha(w / s) + z, 0, 2^b - 1) - z)
 */
import { option, writtenAs } from "@speedq/formats"
import {
  fakeQuantUniform,
  gridCodes,
  gridDecode,
  scope,
  type UniformAttributes,
  uniformParameters
} from "@speedq/tensors"
import * as Schema from "effect/Schema"
import { configure } from "../quantizer/configure.ts"
import { columnObstacle, groupSize } from "../quantizer/optionSchemas.ts"
import type { Quantizer, QuantizerChoice } from "../quantizer/Quantizer.ts"
import type { FlatAsymmetricOptions } from "../quantizer/quantizerOptions.ts"
import { largestSingle } from "./largest.ts"
import { fromStored, toStored } from "./wholeNumbers.ts"

export const FlatAsymmetricConfig = Schema.Struct({
  group: option(groupSize, 64, {
    description: "Input columns that share a scale and a zero point.",
    unit: "columns",
    source: "the reference"
  })
})
export type FlatAsymmetricConfig = typeof FlatAsymmetricConfig.Type

const makeFlatAsymmetric = (bits: 2 | 3): Quantizer<FlatAsymmetricConfig> => {
  const attributesOf = ({ group }: FlatAsymmetricConfig): UniformAttributes => ({
    bits,
    group,
    symmetric: false,
    rounding: "halfAwayThenZero",
    roundZero: true,
    rangeGradient: true
  })
  return {
    id: `int${bits}-asym`,
    version: 1,
    rowwise: true,
    Config: writtenAs<FlatAsymmetricOptions>()(FlatAsymmetricConfig),
    bitsPerWeight: ({ group }) => bits + (bits + 32) / group,
    obstacle: ({ group }, shape) => columnObstacle(group, shape),
    largestWeight: () => largestSingle,
    fakeQuantize: (config, weight) => scope(() => fakeQuantUniform(weight, attributesOf(config))),
    stored: ({ group }, shape) => {
      const groups = [shape[0]!, shape[1]! / group]
      return [
        { name: "codes", dtype: "u8", shape, bits, meaning: "code of every weight, row-major" },
        { name: "scale", dtype: "f32", shape: groups, bits: 32, meaning: "scale of group j of row o at [o, j]" },
        { name: "zeros", dtype: "u8", shape: groups, bits, meaning: "zero point at [o, j]" }
      ]
    },
    quantize: (config, weight) =>
      scope(() => {
        const { y, scale, zero } = uniformParameters(weight, attributesOf(config))
        // Dequantized weights sit on the grid: the nearest code, whatever ties do, is the one that they came from.
        return { codes: gridCodes(y, scale, zero, bits), scale, zeros: toStored(zero, bits) }
      }),
    affine: {
      extents: ({ group }) => ({ bits, group }),
      decoder: (_, { scale, zeros }) => ({ scale: scale!.alias(), zero: fromStored(zeros!) })
    },
    dequantize: (_, { codes, scale, zeros }) => scope(() => gridDecode(codes!, scale!, fromStored(zeros!), bits))
  }
}

export const int2AsymQuantizer = makeFlatAsymmetric(2)
export const int3AsymQuantizer = makeFlatAsymmetric(3)

/** Flat asymmetric quantizer of 2 or 3 bits, for recipes in code. Raises QuantizerConfigInvalid. */
export const flatAsymmetric = (
  bits: 2 | 3,
  options: FlatAsymmetricOptions = {}
): QuantizerChoice<FlatAsymmetricConfig> => configure(bits === 2 ? int2AsymQuantizer : int3AsymQuantizer, options)
