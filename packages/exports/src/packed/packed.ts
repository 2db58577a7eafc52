/** "packed": codes and scales in a safetensors container, at the size that a plan promised; for `speedq chat` and `evaluate`. */
import { layerOf } from "@speedq/formats"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { copyCompanions } from "../exporter/companions.ts"
import type { Exporter } from "../exporter/Exporter.ts"
import { writeTensors } from "../exporter/writeTensors.ts"
import type { DeployedModel } from "../model/deployedModel.ts"
import { packedEntries } from "./packedEntries.ts"

export const PackedConfig = Schema.Struct({})
export type PackedConfig = typeof PackedConfig.Type

/** Layers that were given as numbers on no grid, so that there are no codes of them. */
const layersAsNumbers = ({ fixed = new Set(), others }: DeployedModel): readonly string[] =>
  [...fixed].filter((name) => layerOf(name) !== name && others[name]?.shape.length === 2).map(layerOf)

export const packedExporter: Exporter<PackedConfig> = {
  id: "packed",
  version: 1,
  description: "codes and scales, small; runs in speedq itself",
  Config: PackedConfig,
  checkedBy: ["speedq"],
  directoryName: () => "packed",
  keepsCodes: true,
  // What is packed is not decided here: at most what the source takes.
  bytes: (_, { checkpointBytes }) => checkpointBytes,
  write: Effect.fnUntraced(function* (_, model) {
    const companions = yield* copyCompanions(model.source.directory.directory, model.directory)
    const { file, bytes, difference } = yield* writeTensors(model, (parts) => packedEntries(parts, model.deployed.rest))
    const layersFallenBack = layersAsNumbers(model.deployed)
    return { files: [file, ...companions], bytes, ...difference, layersFallenBack }
  })
}
