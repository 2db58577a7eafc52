/**
 * "compressed-tensors": weights as its format "pack-quantized" stores them, for vLLM and transformers. Codes count from -2^(b-1) there
 * and are stored with that added, which makes them ours.
 *
 *   weight_packed      i32 [N, K bits / 32]
 *   weight_zero_point  i32 [N bits / 32, K / g]
 *   weight_scale       f16 [N, K / g]
 *   weight_shape       i64 [2]
 */
import type { IntegerLayout, IntegerModule } from "./IntegerLayout.ts"
import { integerExporter } from "./integerExporter.ts"
import { halfScales } from "./integerWeight.ts"
import { compactNames, patternOf } from "./moduleNames.ts"
import { bySettings } from "./modulesBySettings.ts"
import { fillsWords, transposed, wordsOf } from "./words.ts"

/** Versions of the library pack 3 bits in different ways. */
const packable: readonly number[] = [2, 4, 8]

const weights = ({ bits, group }: IntegerModule) => ({
  num_bits: bits,
  type: "int",
  symmetric: false,
  strategy: "group",
  group_size: group,
  dynamic: false,
  actorder: null,
  block_structure: null,
  observer: "minmax",
  observer_kwargs: {}
})

const compressedTensors: IntegerLayout = {
  id: "compressed-tensors",
  version: 1,
  description: "codes as compressed-tensors packs them, for vLLM, in transformers' layout; scales in f16",
  holds: ({ rows, columns, bits }) => packable.includes(bits) && fillsWords(columns, bits) && fillsWords(rows, bits),
  uniform: false,
  tensors: ({ rows, columns, bits, group }) => {
    const groups = columns / group
    return [
      {
        name: "weight_shape",
        dtype: "I64",
        shape: [2],
        data: () => BigInt64Array.of(BigInt(rows), BigInt(columns))
      },
      {
        name: "weight_packed",
        dtype: "I32",
        shape: [rows, (columns * bits) / 32],
        data: ({ codes }) => wordsOf(codes, bits)
      },
      {
        name: "weight_zero_point",
        dtype: "I32",
        shape: [(rows * bits) / 32, groups],
        data: ({ zeros }) => transposed(wordsOf(transposed(zeros, rows, groups), bits), groups, (rows * bits) / 32)
      },
      { name: "weight_scale", dtype: "F16", shape: [rows, groups], data: halfScales }
    ]
  },
  quantizationConfig: ({ kept, plain }) => {
    const all = [...kept.map(({ module }) => module), ...plain]
    const groups = bySettings(kept).map((modules) => ({
      targets: compactNames(
        modules.map(({ module }) => module),
        all
      ).map((name) => `re:${patternOf(name)}`),
      weights: weights(modules[0]!),
      input_activations: null,
      output_activations: null
    }))
    return {
      quant_method: "compressed-tensors",
      format: "pack-quantized",
      quantization_status: "compressed",
      config_groups: Object.fromEntries(groups.map((group, index) => [`group_${index}`, group])),
      ignore: [...compactNames(plain, all).map((name) => `re:${patternOf(name)}`), "re:.*lm_head$"],
      kv_cache_scheme: null,
      global_compression_ratio: null
    }
  }
}

export const compressedTensorsExporter = integerExporter(compressedTensors)
