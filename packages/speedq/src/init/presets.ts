/** Models that `speedq init` can make: their config, what their tokenizer is, and how their weights are spread. */
import { join } from "node:path"
import type { RandomWeightsOptions } from "@speedq/vlm-model"
import { shippedModels, shippedNano } from "../shipped/shipped.ts"

export const presetNames = [
  "internvl2_5-1b",
  "internvl2_5-2b",
  "internvl3-1b",
  "internvl3-2b",
  "internvl3-8b",
  "internvl3_5-1b",
  "internvl3_5-2b",
  "nano"
] as const
export type PresetName = (typeof presetNames)[number]

export interface Preset {
  readonly config: string
  /** Files that are copied as they are. */
  readonly files: readonly string[]
  /** "bytes": the 256 bytes and the special tokens at their real ids; the real vocabulary is not shipped. */
  readonly tokenizer: "bytes" | "shipped"
  readonly weights: Omit<RandomWeightsOptions, "seed">
}

const released = (name: string): Preset => ({
  config: join(shippedModels, `${name}.json`),
  files: [],
  tokenizer: "bytes",
  weights: { spread: "fixed", layerScale: 0.1 }
})

const nano: Preset = {
  config: join(shippedNano, "config", "config.json"),
  files: [
    join(shippedNano, "config", "preprocessor_config.json"),
    ...[
      "tokenizer.json",
      "vocab.json",
      "merges.txt",
      "added_tokens.json",
      "tokenizer_config.json",
      "special_tokens_map.json"
    ].map((name) => join(shippedNano, "tokenizer", name))
  ],
  tokenizer: "shipped",
  weights: { spread: "fan-in", layerScale: 1 }
}

export const presets: { readonly [Name in PresetName]: Preset } = {
  "internvl2_5-1b": released("internvl2_5-1b"),
  "internvl2_5-2b": released("internvl2_5-2b"),
  "internvl3-1b": released("internvl3-1b"),
  "internvl3-2b": released("internvl3-2b"),
  "internvl3-8b": released("internvl3-8b"),
  "internvl3_5-1b": released("internvl3_5-1b"),
  "internvl3_5-2b": released("internvl3_5-2b"),
  nano
}
