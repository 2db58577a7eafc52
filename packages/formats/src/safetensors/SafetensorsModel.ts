/** A model's tensors in the hub's layout: `model.safetensors`, or the shards that `model.safetensors.index.json` lists, seen as one store. */
import { existsSync, statSync } from "#system/files"
import { dirname, join } from "#system/paths"
import { FileFailed, ModelIncomplete, SafetensorsInvalid, TensorMissing } from "../Errors.ts"
import { attemptFile } from "../internal/attempt.ts"
import { closeFile, openFile, readFully } from "../internal/files.ts"
import { decodeUtf8, maxHeaderBytes } from "../internal/header.ts"
import { JsonCursor, JsonUnexpected } from "../json/JsonCursor.ts"
import { openFileSync } from "./SafetensorsFile.ts"
import { mostAlike, type TensorInfo, type TensorStore } from "./TensorStore.ts"

/** Names of the hub's layout. */
export const singleName = "model.safetensors"
export const indexName = "model.safetensors.index.json"

/**
 * Opens a model: a directory (where `model.safetensors` goes before an index, as transformers has it), a safetensors file, or an index.
 * Throws FileFailed, SafetensorsInvalid, ModelIncomplete.
 */
export const openModelSync = (path: string): TensorStore => {
  const file = attemptFile(path, "open", () => statSync(path)).isDirectory() ? modelFileIn(path) : path
  return file.endsWith(".json") ? openShards(file) : openFileSync(file)
}

const modelFileIn = (directory: string): string => {
  const found = [singleName, indexName].map((name) => join(directory, name)).find((file) => existsSync(file))
  if (found !== undefined) return found
  const reason = `the directory holds neither ${singleName} nor ${indexName}`
  throw new FileFailed({ file: directory, operation: "open the model", code: "ENOENT", reason })
}

/** Names of the files that an index lists, which are beside it. Throws FileFailed, SafetensorsInvalid. */
export const shardsOf = (index: string): readonly string[] => [...new Set(readWeightMap(index).values())]

const openShards = (index: string): TensorStore => {
  const shardOf = readWeightMap(index)
  const directory = dirname(index)
  const names = [...new Set(shardOf.values())].sort()
  const missingShards = names.filter((name) => !existsSync(join(directory, name)))
  const none = { index, missingShards: [], missingTensors: [], unlistedTensors: [] }
  if (missingShards.length > 0) throw new ModelIncomplete({ ...none, missingShards })

  const shards = new Map<string, TensorStore>()
  const close = () => {
    for (const shard of shards.values()) shard.close()
  }
  try {
    for (const name of names) shards.set(name, openFileSync(join(directory, name)))
    const missingTensors = [...shardOf].flatMap(([tensor, shard]) =>
      shards.get(shard)?.tensors.has(tensor) ? [] : [`${tensor} (${shard})`]
    )
    const unlistedTensors = [...shards].flatMap(([name, shard]) =>
      [...shard.tensors.keys()].filter((tensor) => shardOf.get(tensor) !== name).map((tensor) => `${tensor} (${name})`)
    )
    if (missingTensors.length + unlistedTensors.length > 0) {
      throw new ModelIncomplete({ ...none, missingTensors, unlistedTensors })
    }
  } catch (error) {
    close()
    throw error
  }

  const tensors = new Map<string, TensorInfo>([...shards.values()].flatMap((shard) => [...shard.tensors]))
  const shardWith = (tensor: string): TensorStore => {
    const shard = shards.get(shardOf.get(tensor) ?? "")
    if (shard !== undefined) return shard
    throw new TensorMissing({ file: index, tensor, candidates: mostAlike(tensor, tensors.keys()) })
  }
  return {
    path: index,
    metadata: agreed([...shards.values()].map((shard) => shard.metadata)),
    tensors,
    read: (name, range) => shardWith(name).read(name, range),
    readInto: (name, target, range) => shardWith(name).readInto(name, target, range),
    readFiniteInto: (name, target, range) => shardWith(name).readFiniteInto(name, target, range),
    close
  }
}

/** The index's `weight_map`: tensor name -> file name of its shard. */
const readWeightMap = (index: string): ReadonlyMap<string, string> => {
  const shardOf = new Map<string, string>()
  let listed = false
  try {
    const cursor = new JsonCursor(readText(index))
    cursor.object((key) => {
      if (key !== "weight_map") return cursor.skip()
      listed = true
      cursor.object((tensor) => shardOf.set(tensor, cursor.string()))
    })
    cursor.end()
  } catch (error) {
    if (error instanceof JsonUnexpected) throw new SafetensorsInvalid({ file: index, reason: error.message })
    throw error
  }
  if (!listed) throw new SafetensorsInvalid({ file: index, reason: "it has no weight_map" })
  for (const [tensor, shard] of shardOf) {
    // An index from elsewhere must not reach outside its directory.
    if (/^(|\.\.?|.*[/\\].*)$/s.test(shard)) {
      const reason = `its shard ${JSON.stringify(shard.slice(0, 200))} is not the name of a file beside the index`
      throw new SafetensorsInvalid({ file: index, tensor, reason })
    }
  }
  return shardOf
}

const readText = (path: string): string => {
  const file = openFile(path)
  try {
    if (file.bytes > maxHeaderBytes) {
      throw new SafetensorsInvalid({ file: path, reason: `${file.bytes} bytes, more than ${maxHeaderBytes}` })
    }
    const bytes = new Uint8Array(file.bytes)
    readFully(file, bytes, 0)
    const text = decodeUtf8(bytes)
    if (text === undefined) throw new SafetensorsInvalid({ file: path, reason: "it is not UTF-8" })
    return text
  } finally {
    closeFile(file)
  }
}

/** The entries that every record holds, with the same value. */
const agreed = (records: ReadonlyArray<Readonly<Record<string, string>>>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(records[0] ?? {}).filter(([key, value]) =>
      records.every((record) => Object.hasOwn(record, key) && record[key] === value)
    )
  )
