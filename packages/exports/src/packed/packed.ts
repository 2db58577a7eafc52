/** "packed": codes and scales in a safetensors container, at the size that a plan promised; for `speedq chat` and `evaluate`. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { copyCompanions } from "../exporter/companions.ts"
import type { Exporter } from "../exporter/Exporter.ts"
import { codes } from "../exporter/Holding.ts"
import { writeTensors } from "../exporter/writeTensors.ts"
import { layersAsNumbers } from "../model/layersAsNumbers.ts"
import { packedEntries } from "./packedEntries.ts"

export const PackedConfig = Schema.Struct({})
export type PackedConfig = typeof PackedConfig.Type

export const packedExporter: Exporter<PackedConfig> = {
  id: "packed",
  version: 1,
  description: "codes and scales, small; runs in speedq itself",
  Config: PackedConfig,
  checkedBy: ["speedq"],
  directoryName: () => "packed",
  keepsCodes: true,
  holds: (_, layers) => layers.map(() => codes()),
  // What is packed is not decided here: at most what the source takes.
  bytes: (_, { checkpointBytes }) => checkpointBytes,
  write: Effect.fnUntraced(function* (_, model) {
    const companions = yield* copyCompanions(model.source.directory.directory, model.directory)
    const { file, bytes, difference } = yield* writeTensors(model, (parts) => packedEntries(parts, model.deployed.rest))
    const layersFallenBack = layersAsNumbers(model.deployed)
    return { files: [file, ...companions], bytes, ...difference, layersFallenBack }
  })
}
