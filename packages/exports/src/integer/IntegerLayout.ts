/** How a runtime's format holds weights of whole codes: one value of this a format. */
import type { Safetensors } from "@speedq/formats"
import type { Json } from "../layouts/LayoutFiles.ts"
import type { IntegerWeight } from "./integerWeight.ts"

/** A module of transformers with its own weight: what the format calls a layer. */
export interface IntegerModule {
  /** Its name in the checkpoint. */
  readonly module: string
  readonly rows: number
  readonly columns: number
  readonly bits: number
  readonly group: number
}

/** Modules that keep their codes, and Linears that do not. */
export interface ChosenModules {
  readonly kept: readonly IntegerModule[]
  readonly plain: readonly string[]
}

/** A tensor of a module; `data` makes it of the module's weight. */
interface IntegerTensor extends Pick<Safetensors.TensorSource, "dtype" | "shape"> {
  readonly name: string
  readonly data: (weight: IntegerWeight) => ArrayBufferView
}

export interface IntegerLayout {
  readonly id: string
  readonly version: number
  readonly description: string
  /** Whether the format holds codes and groups of a module. */
  readonly holds: (module: IntegerModule) => boolean
  /** Whether all modules must have the same codes and groups. */
  readonly uniform: boolean
  /** The tensors of a module, their names without the module's. */
  readonly tensors: (module: IntegerModule) => readonly IntegerTensor[]
  /** `quantization_config` of config.json. */
  readonly quantizationConfig: (modules: ChosenModules) => Json
  /** Name of a file that has the same settings, where programs look for one. */
  readonly settingsFile?: string
}
