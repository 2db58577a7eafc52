/** Where AWQ moves scales in a decoder layer: out of the inputs of some Linears, into what makes these inputs. */
import type { Shape } from "@speedq/tensors"
import { type LanguageConfig, layerNames } from "@speedq/vlm-model"

export interface ScaledGroup {
  /** A norm or a Linear, whose outputs are divided by the scales. */
  readonly before: string
  /** Linears that read these outputs alone, and whose columns are multiplied by the scales. */
  readonly layers: readonly string[]
  /** Whose output must change least: attention's, the MLP's, or the Linear's own. */
  readonly measured: "attention" | "mlp" | "linear"
}

/** The groups of decoder layer `index`; values pass to the output's Linear one by one only where every query head has its own. */
export const scaledGroups = (
  config: LanguageConfig,
  index: number,
  shapeOf: (layer: string) => Shape
): readonly ScaledGroup[] => {
  const { inputNorm, qkv, output, mlpNorm, gate, up, down } = layerNames(config, index)
  const values = "v" in qkv ? qkv.v : undefined
  const passes = values !== undefined && shapeOf(values)[0] === shapeOf(output)[1]
  return [
    { before: inputNorm, layers: Object.values<string>(qkv), measured: "attention" },
    ...(passes ? [{ before: values, layers: [output], measured: "linear" } as const] : []),
    { before: mlpNorm, layers: [gate, up], measured: "mlp" },
    { before: up, layers: [down], measured: "linear" }
  ]
}
