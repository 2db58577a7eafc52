/** One level of scales: codes of b bits in groups of g input columns, asymmetric or symmetric, rounded to nearest. */
import {
  adaroundScales,
  cast,
  customGradient,
  gridCodes,
  gridDecode,
  type Shape,
  type Tensor,
  tensor,
  type UniformAttributes,
  uniformParameters,
  uniformStraightThrough
} from "@speedq/tensors"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Quantizer, QuantizerChoice } from "../Quantizer.ts"

const withDefault = <S extends Schema.Top>(schema: S, value: S["Encoded"]) =>
  schema.pipe(Schema.withDecodingDefaultKey(Effect.succeed(value)))

export const UniformConfig = Schema.Struct({
  bits: Schema.Literals([2, 3, 4, 8]),
  /** Input columns that share a scale and a zero point. */
  group: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 4096 })),
  /** Zero point (2^b - 1) / 2 rounded down for every group, which is then not stored. */
  symmetric: withDefault(Schema.Boolean, false),
  /** "minmax": from the smallest to the largest weight; "zero": the same with 0 inside; "mse": BRECQ's search (asymmetric only). */
  range: withDefault(Schema.Literals(["minmax", "zero", "mse"]), "minmax"),
  /** What a scale is rounded to and stored as. */
  scale: withDefault(Schema.Literals(["f16", "f32"]), "f16")
})
export type UniformConfig = typeof UniformConfig.Type

const attributesOf = ({ bits, group, symmetric }: UniformConfig): UniformAttributes => ({
  bits,
  group,
  symmetric,
  rounding: "sum",
  roundZero: true,
  rangeGradient: false
})

/** Scale and zero point [N, K / g], the scale as it will be stored. */
const parameters = (config: UniformConfig, weight: Tensor): { readonly scale: Tensor; readonly zero: Tensor } => {
  const { bits, group, range } = config
  const found =
    range === "minmax" || config.symmetric
      ? uniformParameters(weight, attributesOf(config))
      : adaroundScales(weight, { bits, group, method: range === "zero" ? "max" : "mse" })
  const { scale, zero } = found
  return { scale: config.scale === "f16" ? cast(cast(scale, "f16"), "f32") : scale, zero }
}

/** Bits a zero point is stored with: the search of "mse" may put it outside of the codes. */
const zeroBits = ({ bits, symmetric, range }: UniformConfig): number => (symmetric ? 0 : range === "mse" ? 32 : bits)

const scaleBits = ({ scale }: UniformConfig): number => (scale === "f16" ? 16 : 32)

export const uniformQuantizer: Quantizer<UniformConfig> = {
  id: "uniform",
  version: 1,
  Config: UniformConfig,
  bitsPerWeight: (config) => config.bits + (zeroBits(config) + scaleBits(config)) / config.group,
  obstacle: ({ group }, [, columns = 0]) =>
    columns % group === 0 ? undefined : `${columns} input columns are not a multiple of group ${group}`,
  fakeQuantize: (config, weight) => {
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
  },
  stored: (config, shape) => {
    const [rows, columns] = shape as readonly [number, number]
    const groups: Shape = [rows, columns / config.group]
    const { symmetric, range, scale, bits } = config
    const zeros = {
      name: "zeros",
      shape: groups,
      bits: zeroBits(config),
      meaning: "zero point of group j of row o at [o, j]"
    }
    return [
      { name: "codes", dtype: "u8", shape, bits, meaning: "code of every weight, row-major" },
      { name: "scale", dtype: scale, shape: groups, bits: scaleBits(config), meaning: "scale at [o, j]" },
      ...(symmetric ? [] : [{ ...zeros, dtype: range === "mse" ? ("f32" as const) : ("u8" as const) }])
    ]
  },
  quantize: (config, weight) => {
    const { scale, zero } = parameters(config, weight)
    const codes = gridCodes(weight, scale, zero, config.bits)
    return config.symmetric ? { codes, scale } : { codes, scale, zeros: zero }
  },
  dequantize: (config, { codes, scale, zeros }) =>
    gridDecode(codes!, scale!, zeros ?? symmetricZeros(config, scale!), config.bits),
  grid: {
    extents: ({ bits, group }) => ({ bits, group }),
    parameters: (config, weight) => {
      const { scale, zero } = parameters(config, weight)
      const shared = { scale: scale.alias() }
      return { scale, zero, stored: config.symmetric ? shared : { ...shared, zeros: zero.alias() } }
    }
  }
}

/** The zero point of every group of a symmetric grid, in the shape of its scales. */
const symmetricZeros = ({ bits }: UniformConfig, scale: Tensor): Tensor =>
  tensor(scale.backend, new Float32Array(scale.size).fill(2 ** (bits - 1) - 1), scale.shape)

/** The uniform quantizer with options, for recipes in code. */
export const uniform = (
  options: Pick<UniformConfig, "bits" | "group"> & Partial<UniformConfig>
): QuantizerChoice<UniformConfig> => ({
  quantizer: uniformQuantizer,
  config: Schema.decodeUnknownSync(UniformConfig)(options)
})
