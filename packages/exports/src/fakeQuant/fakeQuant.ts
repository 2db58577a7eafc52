/**
 * "fake-quant": dequantized weights in the layout of the checkpoint that the run started from. It loads wherever that one does,
 * and takes as much space.
 */
import { option } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { copyCompanions } from "../exporter/companions.ts"
import type { Exporter } from "../exporter/Exporter.ts"
import { numbers } from "../exporter/Holding.ts"
import { writeTensors } from "../exporter/writeTensors.ts"
import { fakeQuantEntries } from "./fakeQuantEntries.ts"

export const FakeQuantConfig = Schema.Struct({
  dtype: option(Schema.Literals(["bf16", "f32"]), "bf16", {
    description:
      "Format of the numbers. `bf16` rounds dequantized weights, `f32` keeps every bit and takes twice the space.",
    source: "released InternVL3 models"
  })
})
export type FakeQuantConfig = typeof FakeQuantConfig.Type

const configName = "config.json"

/**
 * A companion as the export has it: its own bytes, but for the type of numbers that config.json names. transformers loads
 * weights in that type, so bf16 there would round away what an export in f32 keeps.
 */
const withDtype =
  ({ dtype }: FakeQuantConfig) =>
  (name: string, bytes: Uint8Array): Uint8Array => {
    if (name !== configName || dtype !== "f32") return bytes
    const text = new TextDecoder().decode(bytes)
    return new TextEncoder().encode(text.replace(/("(?:torch_)?dtype"\s*:\s*)"(?:bfloat16|float16)"/g, '$1"float32"'))
  }

export const fakeQuantExporter: Exporter<FakeQuantConfig> = {
  id: "fake-quant",
  version: 1,
  description: "dequantized weights in the original layout; loads wherever the original does",
  Config: FakeQuantConfig,
  checkedBy: ["speedq"],
  directoryName: ({ dtype }) => (dtype === "f32" ? "fake-quant-f32" : "fake-quant"),
  holds: ({ dtype }, layers) => layers.map(() => numbers(dtype)),
  bytes: ({ dtype }, { parameters }) => (dtype === "bf16" ? 2 : 4) * parameters,
  write: Effect.fnUntraced(function* (config, model) {
    const companions = yield* copyCompanions(model.source.directory.directory, model.directory, {
      change: withDtype(config)
    })
    const { file, bytes, difference } = yield* writeTensors(model, (parts) => fakeQuantEntries(parts, config.dtype))
    return { files: [file, ...companions], bytes, ...difference, layersFallenBack: [] }
  })
}
