/**
 * Names of layers and of their parameters. Rules, choices, clipping ranges and reports speak of layers, `...mlp.up_proj`; weights of a
 * network and tensors of files are named as checkpoints name them, `...mlp.up_proj.weight`.
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

/** The parameter that is the matrix of a layer. */
export const parameterOf = (layer: string): string => weightNames(layer).weight

/** The layer whose matrix a parameter is; any other parameter, a bias for example, keeps its own name, which no layer has. */
export const layerOf = (parameter: string): string =>
  parameter.endsWith(suffix) ? parameter.slice(0, -suffix.length) : parameter
