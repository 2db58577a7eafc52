/** The tensors of an integer layout: codes of the modules that it holds, everything else as numbers in transformers' layout. */
import { bytesOf, layerOf, parameterOf, type Safetensors } from "@speedq/formats"
import type { AffineWeight, PackedWeight } from "@speedq/quantizers"
import { linearLayers, type ModelConfig, modelTensors, storedNames } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { exact, larger } from "../exporter/Difference.ts"
import type { Entries, ExportParts } from "../exporter/entries.ts"
import { fakeQuantEntries } from "../fakeQuant/fakeQuantEntries.ts"
import type { DeployedModel, Rest } from "../model/deployedModel.ts"
import type { ChosenModules, IntegerLayout, IntegerModule } from "./IntegerLayout.ts"
import { readIntegerWeight, scaleDifference } from "./integerWeight.ts"
import { mostCommon, settingsOf } from "./modulesBySettings.ts"

/** A layer whose codes are kept, and the modules that its rows belong to, in equal runs. */
interface KeptLayer {
  readonly layer: string
  readonly weight: PackedWeight
  readonly affine: AffineWeight
  readonly modules: readonly IntegerModule[]
}

/** Modules of a layer in transformers' layout: one, or three for the fused queries, keys and values. */
const modulesOf = (layer: string): readonly string[] => {
  const parameter = parameterOf(layer)
  return storedNames([parameter], "huggingface").get(parameter)!.map(layerOf)
}

const asKept = (layer: string, weight: PackedWeight): KeptLayer | undefined => {
  const { affine, shape } = weight
  if (affine === undefined) return undefined
  const names = modulesOf(layer)
  const [rows, columns] = shape as readonly [number, number]
  const { bits, group } = affine
  const modules = names.map((module) => ({ module, rows: rows / names.length, columns, bits, group }))
  return { layer, weight, affine, modules }
}

/** The Linears that keep their codes. Embedding and head have no codes in these formats. */
const keptLayers = (
  { holds, uniform }: IntegerLayout,
  config: ModelConfig,
  { packed }: DeployedModel
): readonly KeptLayer[] => {
  const linears = linearLayers(config)
  const held = [...packed]
    .filter(([layer]) => linears.has(layer))
    .map(([layer, weight]) => asKept(layer, weight))
    .filter((kept) => kept?.modules.every(holds) === true) as readonly KeptLayer[]
  if (!uniform || held.length === 0) return held
  const common = settingsOf(mostCommon(held.flatMap(({ modules }) => modules)))
  return held.filter(({ modules }) => settingsOf(modules[0]!) === common)
}

export interface IntegerEntries extends Entries {
  readonly modules: ChosenModules
  /** Quantized layers that are written as numbers. */
  readonly layersFallenBack: readonly string[]
}

/** Entries of the model, numbers in `rest`. */
export const integerEntries = (layout: IntegerLayout, exported: ExportParts, rest: Rest): IntegerEntries => {
  const { source, deployed } = exported
  const { config } = source.directory
  const kept = keptLayers(layout, config, deployed)
  const keptNames = new Set(kept.map(({ layer }) => layer))
  const names = storedNames(modelTensors(config).keys(), "huggingface")
  const numbers = fakeQuantEntries(exported, rest, names, new Set([...keptNames].map(parameterOf)))
  let difference = exact
  const codes = kept.flatMap(({ weight, affine, modules }) =>
    modules.flatMap((module, part) =>
      layout.tensors(module).map(
        ({ name, dtype, shape, data }): Safetensors.TensorSource => ({
          name: `${module.module}.${name}`,
          dtype,
          shape,
          data: Effect.promise(async () => {
            const own = await readIntegerWeight(weight, affine, part, modules.length)
            // Scales are all that is rounded.
            if (dtype === "F16") difference = larger(difference, scaleDifference(own))
            return bytesOf(data(own))
          })
        })
      )
    )
  )
  const plain = [...linearLayers(config).keys()].filter((layer) => !keptNames.has(layer)).flatMap(modulesOf)
  return {
    sources: [...codes, ...numbers.sources],
    metadata: numbers.metadata,
    difference: () => larger(numbers.difference(), difference),
    modules: { kept: kept.flatMap(({ modules }) => modules), plain },
    layersFallenBack: [...deployed.packed.keys()].filter((layer) => !keptNames.has(layer))
  }
}
