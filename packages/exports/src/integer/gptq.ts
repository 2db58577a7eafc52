/**
 * "gptq": weights as GPTQModel stores them, format v2 (zero points as they are; v1 stores each less one).
 *
 *   qweight  i32 [K bits / 32, N]        codes of a column of W^T, one below the other
 *   qzeros   i32 [K / g, N bits / 32]    zero points of a group, side by side
 *   scales   f16 [K / g, N]
 *   g_idx    i32 [K]                     group of an input column
 */
import type { IntegerLayout } from "./IntegerLayout.ts"
import { integerExporter } from "./integerExporter.ts"
import { halfScales } from "./integerWeight.ts"
import { compactNames, patternOf, tailOf } from "./moduleNames.ts"
import { mostCommon, settingsOf } from "./modulesBySettings.ts"
import { fillsWords, transposed, wordsOf } from "./words.ts"

const gptq: IntegerLayout = {
  id: "gptq",
  version: 1,
  description: "codes as GPTQModel stores them (format v2), in transformers' layout; scales in f16",
  holds: ({ rows, columns, bits }) => bits <= 8 && fillsWords(columns, bits) && fillsWords(rows, bits),
  uniform: false,
  tensors: ({ rows, columns, bits, group }) => {
    const groups = columns / group
    return [
      {
        name: "qweight",
        dtype: "I32",
        shape: [(columns * bits) / 32, rows],
        data: ({ codes }) => transposed(wordsOf(codes, bits), rows, (columns * bits) / 32)
      },
      {
        name: "qzeros",
        dtype: "I32",
        shape: [groups, (rows * bits) / 32],
        data: ({ zeros }) => wordsOf(transposed(zeros, rows, groups), bits)
      },
      {
        name: "g_idx",
        dtype: "I32",
        shape: [columns],
        data: () => Int32Array.from({ length: columns }, (_, column) => Math.floor(column / group))
      },
      {
        name: "scales",
        dtype: "F16",
        shape: [groups, rows],
        data: (weight) => transposed(halfScales(weight), rows, groups)
      }
    ]
  },
  quantizationConfig: ({ kept, plain }) => {
    const common = mostCommon(kept)
    const all = [...kept.map(({ module }) => module), ...plain]
    const others = kept.filter((module) => settingsOf(module) !== settingsOf(common))
    return {
      quant_method: "gptq",
      bits: common.bits,
      group_size: common.group,
      desc_act: false,
      sym: false,
      lm_head: false,
      checkpoint_format: "gptq_v2",
      pack_dtype: "int32",
      dynamic: {
        ...Object.fromEntries(compactNames(plain, all).map((name) => [`-:${patternOf(name)}`, {}])),
        ...Object.fromEntries(
          others.map(({ module, bits, group }) => [`+:${patternOf(tailOf(module))}`, { bits, group_size: group }])
        )
      }
    }
  },
  settingsFile: "quantize_config.json"
}

export const gptqExporter = integerExporter(gptq)
