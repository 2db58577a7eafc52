/** A checkpoint that save_pretrained wrote as PyTorch pickles: `pytorch_model.bin`, or the shards that its index lists. */
import { existsSync } from "node:fs"
import { basename, join } from "node:path"
import { releaseParameters } from "@speedq/exports"
import { jsonString, readTextSync } from "@speedq/formats"
import type { Backend, Parameters, Shape } from "@speedq/tensors"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { firstNames } from "../model/firstNames.ts"
import { TorchFileInvalid } from "../torch/TorchFileInvalid.ts"
import { using } from "./detailFiles.ts"
import { loadDetailParameters } from "./loadDetailParameters.ts"

const singleName = "pytorch_model.bin"
const indexName = `${singleName}.index.json`

const Index = jsonString(Schema.Struct({ weight_map: Schema.Record(Schema.String, Schema.String) }))
const decodeIndex = Schema.decodeUnknownOption(Index)

/** Files of the checkpoint; none where the directory has none. Raises TorchFileInvalid. */
export const torchFiles = (directory: string): readonly string[] => {
  const [single, index] = [singleName, indexName].map((name) => join(directory, name)) as [string, string]
  if (existsSync(single)) return [single]
  if (!existsSync(index)) return []
  const decoded = decodeIndex(readTextSync(index))
  if (Option.isNone(decoded)) throw new TorchFileInvalid({ file: index, reason: "it has no weight_map of names" })
  const shards = [...new Set(Object.values(decoded.value.weight_map))].sort()
  const outside = shards.find((shard) => shard !== basename(shard) || shard.startsWith("."))
  if (outside !== undefined) {
    throw new TorchFileInvalid({ file: index, reason: `its shard "${outside}" is not the name of a file beside it` })
  }
  return shards.map((shard) => join(directory, shard))
}

/**
 * The parameters of these names out of the files of a checkpoint; undefined where there are none. Raises TorchFileInvalid, also for
 * names that they lack, and the errors of node:fs; nothing stays allocated then.
 */
export const loadTorchCheckpoint = (
  backend: Backend,
  files: readonly string[],
  shapes: ReadonlyMap<string, Shape>,
  names: ReadonlySet<string>
): Parameters | undefined => {
  if (files.length === 0) return undefined
  let loaded: Parameters = {}
  try {
    for (const path of files) {
      const more = using(path, (file) =>
        loadDetailParameters(backend, file, shapes, { select: (name) => names.has(name) })
      )
      loaded = { ...loaded, ...more }
    }
    const lacking = [...names].filter((name) => loaded[name] === undefined)
    if (lacking.length === 0) return loaded
    const reason = `${files.length === 1 ? "it has" : "it and its shards have"} no ${firstNames(lacking)}`
    throw new TorchFileInvalid({ file: files[0]!, reason })
  } catch (error) {
    releaseParameters(loaded)
    throw error
  }
}
