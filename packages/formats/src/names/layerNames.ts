/**
 * Names of layers and of their parameters. The program speaks of layers, `...mlp.up_proj`: rules, choices, clipping ranges, packed
 * weights, reports. Checkpoints and records of parameters name tensors, `...mlp.up_proj.weight`. This file is the step between.
 */

const suffix = ".weight"
const namesOfLayers = new Map<string, { readonly weight: string; readonly bias: string }>()

/** Names of the weight and the bias of a layer. Kept: composing and hashing them costs more than a small kernel. */
export const weightNames = (layer: string): { readonly weight: string; readonly bias: string } => {
  const known = namesOfLayers.get(layer)
  if (known !== undefined) return known
  const names = { weight: `${layer}${suffix}`, bias: `${layer}.bias` }
  namesOfLayers.set(layer, names)
  return names
}

/**
 * The parameter that is the matrix of a layer.
 *
 * @example parameterOf("mlp1.1") // "mlp1.1.weight"
 */
export const parameterOf = (layer: string): string => weightNames(layer).weight

/**
 * The layer whose matrix a parameter is; any other parameter, a bias for example, keeps its own name, which no layer has.
 *
 * @example layerOf("mlp1.1.weight") // "mlp1.1"
 */
export const layerOf = (parameter: string): string =>
  parameter.endsWith(suffix) ? parameter.slice(0, -suffix.length) : parameter
