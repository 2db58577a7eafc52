/** Layers of which a model has numbers and no codes, though they were quantized elsewhere. */
import { layerOf } from "@speedq/formats"
import type { DeployedModel } from "./deployedModel.ts"

/** Layers that were given as numbers on no grid, so that there are no codes of them. */
export const layersAsNumbers = ({ fixed = new Set(), others }: DeployedModel): readonly string[] =>
  [...fixed].filter((name) => layerOf(name) !== name && others[name]?.shape.length === 2).map(layerOf)
