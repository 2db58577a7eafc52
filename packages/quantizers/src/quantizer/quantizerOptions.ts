/** Options of quantizers, and the layers that a rule is for. Written by `npm run options` from the schemas. */

export interface BilevelOptions {
  /**
   * Bits of a weight's code.
   *
   * Unit: bits.
   */
  readonly bits: 2 | 3 | 4
  /**
   * Input columns that share a scale and a zero point. The reference's scripts take 16 at 2 bits and 32 at 4 bits.
   *
   * Unit: columns.
   */
  readonly group: number
  /**
   * Output rows whose scales share a step and an origin. The reference's scripts take 16 at 2 bits and 128 at 4
   * bits.
   *
   * Unit: rows.
   */
  readonly scaleGroup: number
  /**
   * Range of a group's grid: `minmax` from the smallest to the largest weight, `mse` searched for the smallest
   * error that the stored scales allow. Training refuses `mse`: it would search in every step.
   *
   * Default from: minmax is the reference's; mse is BRECQ's choice (arXiv:2102.05426), carried to two levels.
   * @default "minmax"
   */
  readonly range?: "minmax" | "mse"
  /**
   * Format of step and origin. `f32` computes as the reference does and stores 32 bits more for each pair.
   *
   * Default from: the smallest that is exact in storage; f32 under `compat` reference: docs/quirks.md#quirk-5.
   * @default "f16"
   */
  readonly secondLevel?: "f16" | "f32"
  /**
   * What equal scales become with `secondLevel` f32: themselves, or 0.0667 as in the reference.
   *
   * Default from: docs/quirks.md#quirk-10.
   * @default "exact"
   */
  readonly commonScale?: "exact" | "reference"
  /**
   * Format that every operation of the quantizer is rounded to.
   *
   * Default from: f32; bf16 under `compat` reference: docs/quirks.md#quirk-5.
   * @default "f32"
   */
  readonly arithmetic?: "f32" | "bf16"
}

export interface UniformOptions {
  /**
   * Bits of a weight's code.
   *
   * Unit: bits.
   */
  readonly bits: 2 | 3 | 4 | 8
  /**
   * Input columns that share a scale and a zero point.
   *
   * Unit: columns.
   */
  readonly group: number
  /**
   * Takes the range [-a, a] with one zero point for all groups, which is not stored. Needs `range` minmax.
   *
   * Default from: off: an asymmetric range wastes no codes.
   * @default false
   */
  readonly symmetric?: boolean
  /**
   * Range of a group's grid: `minmax` from the smallest to the largest weight, `zero` the same with 0 inside,
   * `mse` that one shrunk to what a search finds best. Training refuses `mse`: it would search in every step.
   *
   * Default from: minmax as the first level of `bilevel`; mse is BRECQ's choice (arXiv:2102.05426).
   * @default "minmax"
   */
  readonly range?: "minmax" | "zero" | "mse"
  /**
   * Format that scales are rounded to and stored in.
   *
   * Default from: chosen here: half the bytes.
   * @default "f16"
   */
  readonly scale?: "f16" | "f32"
}

export interface FlatAsymmetricOptions {
  /**
   * Input columns that share a scale and a zero point.
   *
   * Unit: columns.
   *
   * Default from: the reference.
   * @default 64
   */
  readonly group?: number
}

export interface N2f3Options {
  /**
   * Input columns that share a scale for each sign.
   *
   * Unit: columns.
   *
   * Default from: the reference.
   * @default 64
   */
  readonly group?: number
}

export interface EmbeddingSym4Options {
  /**
   * Input columns that share a scale.
   *
   * Unit: columns.
   *
   * Default from: the reference.
   * @default 32
   */
  readonly group?: number
  /**
   * Scale of a group with largest weight a: `reference` takes 2 a / 15, whose code 15 is never used; `absmax7`
   * takes a / 7, which keeps the largest weight.
   *
   * Default from: docs/quirks.md#quirk-4.
   * @default "reference"
   */
  readonly grid?: "reference" | "absmax7"
  /**
   * How often the result is quantized again, as the reference does; each pass shrinks it by 14/15.
   *
   * Unit: passes.
   *
   * Default from: 1; 1, 2 or 3 by stage under `compat` reference: docs/quirks.md#quirk-3.
   * @default 1
   */
  readonly requantizePasses?: number
  /**
   * Format that scales are rounded to and stored in.
   *
   * Default from: the reference.
   * @default "f16"
   */
  readonly scale?: "f16" | "f32"
  /**
   * Format that every operation of the quantizer is rounded to, the scale before it finds codes included.
   *
   * Default from: f32; f16 under `compat` reference: docs/quirks.md#quirk-5.
   * @default "f32"
   */
  readonly arithmetic?: "f32" | "f16"
}

export interface RuleTarget {
  /**
   * Layers that the rule is for: a glob over dotted names, as `**.down_proj`, or a regular expression between
   * slashes, as `/q_proj$/` (the syntax of RE2: no lookaround, no references back).
   */
  readonly match: string
  /** Only layers of this part of the model. */
  readonly tower?: "vision" | "projector" | "language"
  /**
   * `linear`, the default, or `embedding`: the token embedding and the output head, which only rules that say so
   * quantize.
   */
  readonly layers?: "linear" | "embedding"
}
