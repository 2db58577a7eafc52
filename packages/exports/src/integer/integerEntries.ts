/** The tensors of an integer layout: codes of the modules that it holds, everything else as numbers in transformers' layout. */
import { bytesOf, parameterOf, type Safetensors } from "@speedq/formats"
import { linearLayers, modelTensors, storedNames } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { exact, larger } from "../exporter/Difference.ts"
import type { Entries, ExportParts } from "../exporter/entries.ts"
import { packedLayersOf } from "../exporter/Holding.ts"
import { fakeQuantEntries } from "../fakeQuant/fakeQuantEntries.ts"
import type { Rest } from "../model/deployedModel.ts"
import { heldLayers, moduleNamesOf, modulesOf } from "./heldModules.ts"
import type { ChosenModules, IntegerLayout } from "./IntegerLayout.ts"
import { readIntegerWeight, scaleDifference } from "./integerWeight.ts"

export interface IntegerEntries extends Entries {
  readonly modules: ChosenModules
  /** Quantized layers that are written as numbers. */
  readonly layersFallenBack: readonly string[]
}

/** Entries of the model, numbers in `rest`. */
export const integerEntries = (layout: IntegerLayout, exported: ExportParts, rest: Rest): IntegerEntries => {
  const { source, deployed } = exported
  const { config } = source.directory
  const kept = heldLayers(layout, packedLayersOf(deployed.packed, config))
  const keptNames = new Set(kept.map(({ layer }) => layer))
  const names = storedNames(modelTensors(config).keys(), "huggingface")
  const numbers = fakeQuantEntries(exported, rest, names, new Set([...keptNames].map(parameterOf)))
  let difference = exact
  const codes = kept.flatMap((quantized) => {
    const weight = deployed.packed.get(quantized.layer)!
    const modules = modulesOf(quantized)!
    return modules.flatMap((module, part) =>
      layout.tensors(module).map(
        ({ name, dtype, shape, data }): Safetensors.TensorSource => ({
          name: `${module.module}.${name}`,
          dtype,
          shape,
          data: Effect.promise(async () => {
            const own = await readIntegerWeight(weight, part, modules.length)
            // Scales are all that is rounded.
            if (dtype === "F16") difference = larger(difference, scaleDifference(own))
            return bytesOf(data(own))
          })
        })
      )
    )
  })
  const plain = [...linearLayers(config).keys()].filter((layer) => !keptNames.has(layer)).flatMap(moduleNamesOf)
  return {
    sources: [...codes, ...numbers.sources],
    metadata: numbers.metadata,
    difference: () => larger(numbers.difference(), difference),
    modules: { kept: kept.flatMap((quantized) => modulesOf(quantized)!), plain },
    layersFallenBack: [...deployed.packed.keys()].filter((layer) => !keptNames.has(layer))
  }
}
