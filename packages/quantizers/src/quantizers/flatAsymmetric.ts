/**
 * The reference's flat straight-through quantizers int2-asym and int3-asym (internvl3.md 6.4): one scale and zero point a
 * group, halves rounded away from zero, and a gradient that also flows through the range, as autograd gives it.
 */
import { fakeQuantUniform, gridCodes, gridDecode, type UniformAttributes, uniformParameters } from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Quantizer, QuantizerChoice } from "../Quantizer.ts"

export const FlatAsymmetricConfig = Schema.Struct({
  group: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4096 })).pipe(
    Schema.withDecodingDefaultKey(Effect.succeed(64))
  )
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
    Config: FlatAsymmetricConfig,
    bitsPerWeight: ({ group }) => bits + (bits + 32) / group,
    obstacle: ({ group }, [, columns = 0]) =>
      columns % group === 0 ? undefined : `${columns} input columns are not a multiple of group ${group}`,
    fakeQuantize: (config, weight) => fakeQuantUniform(weight, attributesOf(config)),
    stored: ({ group }, shape) => {
      const groups = [shape[0]!, shape[1]! / group]
      return [
        { name: "codes", dtype: "u8", shape, bits, meaning: "code of every weight, row-major" },
        { name: "scale", dtype: "f32", shape: groups, bits: 32, meaning: "scale of group j of row o at [o, j]" },
        { name: "zeros", dtype: "u8", shape: groups, bits, meaning: "zero point at [o, j]" }
      ]
    },
    quantize: (config, weight) => {
      const { y, scale, zero } = uniformParameters(weight, attributesOf(config))
      return { codes: gridCodes(y, scale, zero, bits), scale, zeros: zero }
    },
    dequantize: (_, { codes, scale, zeros }) => gridDecode(codes!, scale!, zeros!, bits)
  }
}

export const int2AsymQuantizer = makeFlatAsymmetric(2)
export const int3AsymQuantizer = makeFlatAsymmetric(3)

/** Flat asymmetric quantizer of 2 or 3 bits with options, for recipes in code. */
export const flatAsymmetric = (bits: 2 | 3, group = 64): QuantizerChoice<FlatAsymmetricConfig> => ({
  quantizer: bits === 2 ? int2AsymQuantizer : int3AsymQuantizer,
  config: { group }
})
