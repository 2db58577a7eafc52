/**
 * "awq": weights as AutoAWQ stores them for its GEMM kernels, 4 bits, all groups of one size.
 *
 *   qweight  i32 [K, N / 8]        codes of an input column; of eight outputs, word bits hold 0, 2, 4, 6, 1, 3, 5, 7
 *   qzeros   i32 [K / g, N / 8]    zero points in the same order
 *   scales   f16 [K / g, N]
 */
import type { IntegerLayout } from "./IntegerLayout.ts"
import { integerExporter } from "./integerExporter.ts"
import { halfScales } from "./integerWeight.ts"
import { compactNames } from "./moduleNames.ts"
import { mostCommon } from "./modulesBySettings.ts"
import { transposed, wordsOf } from "./words.ts"

const bits = 4
/** Which of eight outputs stands at each place of a word. */
const order = [0, 2, 4, 6, 1, 3, 5, 7] as const

/** Words of a matrix whose columns are outputs. */
const interleaved = (codes: Uint8Array): Uint32Array =>
  wordsOf(
    codes.map((_, i) => codes[i - (i % 8) + order[i % 8]!]!),
    bits
  )

const awq: IntegerLayout = {
  id: "awq",
  version: 1,
  description: "4-bit codes as AutoAWQ stores them, in transformers' layout; scales in f16",
  holds: (module) => module.bits === bits && module.rows % 8 === 0,
  uniform: true,
  tensors: ({ rows, columns, group }) => {
    const groups = columns / group
    return [
      {
        name: "qweight",
        dtype: "I32",
        shape: [columns, rows / 8],
        data: ({ codes }) => interleaved(transposed(codes, rows, columns))
      },
      {
        name: "qzeros",
        dtype: "I32",
        shape: [groups, rows / 8],
        data: ({ zeros }) => interleaved(transposed(zeros, rows, groups))
      },
      {
        name: "scales",
        dtype: "F16",
        shape: [groups, rows],
        data: (weight) => transposed(halfScales(weight), rows, groups)
      }
    ]
  },
  quantizationConfig: ({ kept, plain }) => ({
    quant_method: "awq",
    bits,
    group_size: mostCommon(kept).group,
    zero_point: true,
    version: "gemm",
    modules_to_not_convert: [...compactNames(plain, [...kept.map(({ module }) => module), ...plain]), "lm_head"]
  })
}

export const awqExporter = integerExporter(awq)
