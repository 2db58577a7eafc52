/** An exporter of a layout of whole codes: a model of transformers whose quantized Linears keep their codes. */
import { option } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Exporter } from "../exporter/Exporter.ts"
import { codes, numbers, roundingOf } from "../exporter/Holding.ts"
import { writeTensors } from "../exporter/writeTensors.ts"
import { huggingfaceFiles, huggingfaceRefusal } from "../layouts/huggingface.ts"
import { writeLayoutFiles } from "../layouts/layoutExporter.ts"
import { heldLayers, roundsScales } from "./heldModules.ts"
import type { IntegerLayout } from "./IntegerLayout.ts"
import { type IntegerEntries, integerEntries } from "./integerEntries.ts"

const IntegerConfig = Schema.Struct({
  dtype: option(Schema.Literals(["bf16", "f16", "f32"]), "bf16", {
    description:
      "Format of the numbers that have no codes: norms, biases, the embedding, layers that are not quantized.",
    source: "released InternVL3 models"
  })
})
type IntegerConfig = typeof IntegerConfig.Type

export const integerExporter = (layout: IntegerLayout): Exporter<IntegerConfig> => {
  const { id, version, description, quantizationConfig, settingsFile } = layout
  return {
    id,
    version,
    description,
    Config: IntegerConfig,
    // No program that loads it runs on the machines that this is tested on: tests read the layout as its definition says.
    checkedBy: [],
    directoryName: () => id,
    keepsCodes: true,
    refusal: (_, model) => {
      const refusal = huggingfaceRefusal(model)
      if (refusal !== undefined) return refusal
      return heldLayers(layout, model.layers).length > 0
        ? undefined
        : {
            reason: `no layer is quantized in a way that ${id} can hold`,
            fix: "choose hf, which has dequantized weights in the same layout"
          }
    },
    holds: ({ dtype }, layers) => {
      const held = heldLayers(layout, layers)
      return layers.map((layer) =>
        held.includes(layer) ? codes(roundsScales(layer) ? roundingOf.f16 : 0) : numbers(dtype)
      )
    },
    bytes: (_, { checkpointBytes }) => checkpointBytes,
    write: Effect.fnUntraced(function* ({ dtype }, model) {
      const { source } = model
      let entries: IntegerEntries | undefined
      const { file, bytes, difference } = yield* writeTensors(model, (parts) => {
        entries = integerEntries(layout, parts, dtype)
        return entries
      })
      const { modules, layersFallenBack } = entries!
      const settings = quantizationConfig(modules)
      const files = yield* writeLayoutFiles(model, (tokenizerConfig) => {
        const made = huggingfaceFiles(source.directory, dtype, tokenizerConfig)
        const config = { ...(made["config.json"] as object), quantization_config: settings }
        return { ...made, "config.json": config, ...(settingsFile && { [settingsFile]: settings }) }
      })
      return { files: [file, ...files], bytes, ...difference, layersFallenBack }
    })
  }
}
