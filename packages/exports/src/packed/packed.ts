/** "packed": codes and scales in a safetensors container, at the size that a plan promised; for `speedq chat` and `evaluate`. */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { copyCompanions } from "../exporter/companions.ts"
import type { Exporter } from "../exporter/Exporter.ts"
import { tensorsName, writeTensors } from "../exporter/writeTensors.ts"
import { packedEntries } from "./packedEntries.ts"

export const PackedConfig = Schema.Struct({})
export type PackedConfig = typeof PackedConfig.Type

export const packedExporter: Exporter<PackedConfig> = {
  id: "packed",
  version: 1,
  description: "codes and scales, small; runs in speedq itself",
  Config: PackedConfig,
  directoryName: () => "packed",
  // What is packed is not decided here: at most what the source takes.
  bytes: (_, { checkpointBytes }) => checkpointBytes,
  write: Effect.fnUntraced(function* (_, model) {
    const companions = yield* copyCompanions(model.source.directory.directory, model.directory)
    const written = yield* writeTensors(model, (parts) => packedEntries(parts, model.deployed.rest))
    return { files: [tensorsName, ...companions], layersFallenBack: [], ...written }
  })
}
