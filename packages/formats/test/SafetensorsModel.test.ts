import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import { FileFailed, ModelIncomplete, SafetensorsInvalid, TensorMissing } from "../src/Errors.ts"
import { openModelSync } from "../src/safetensors/SafetensorsModel.ts"
import { rawFile } from "./rawFile.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const root = temporaryDirectory()
let made = 0

/** A model directory: shards of one-byte tensors, and an index (by default the right one). */
const model = (
  shards: Record<string, Record<string, number>>,
  index?: string,
  metadata: Record<string, string> = {}
): string => {
  const directory = join(root, `${made++}`)
  mkdirSync(directory)
  for (const [file, tensors] of Object.entries(shards)) {
    const entries = Object.keys(tensors).map((name, i) => [name, { dtype: "U8", shape: [1], data_offsets: [i, i + 1] }])
    const header = { __metadata__: { format: "pt", ...metadata, shard: file }, ...Object.fromEntries(entries) }
    writeFileSync(join(directory, file), rawFile(JSON.stringify(header), Uint8Array.from(Object.values(tensors))))
  }
  const map = Object.entries(shards).flatMap(([file, tensors]) => Object.keys(tensors).map((name) => [name, file]))
  const text = index ?? JSON.stringify({ metadata: { total_size: 3 }, weight_map: Object.fromEntries(map) })
  if (text !== "none") writeFileSync(join(directory, "model.safetensors.index.json"), text)
  return directory
}
const one = "model-00001-of-00002.safetensors"
const two = "model-00002-of-00002.safetensors"
const weightMap = (map: Record<string, unknown>) => JSON.stringify({ weight_map: map })

describe("openModelSync", () => {
  it("opens a single file, by directory or by name", () => {
    const directory = model({ "model.safetensors": { a: 1, b: 2 } }, "none")
    for (const path of [directory, join(directory, "model.safetensors")]) {
      const store = openModelSync(path)
      assert.strictEqual(store.path, join(directory, "model.safetensors"))
      assert.deepEqual([...store.read("b")], [2])
      store.close()
    }
  })

  it("opens shards as one, by directory or by index", () => {
    const directory = model({ [two]: { c: 3, a: 1 }, [one]: { b: 2 } })
    for (const path of [directory, join(directory, "model.safetensors.index.json")]) {
      const store = openModelSync(path)
      assert.deepEqual([...store.tensors.keys()], ["b", "c", "a"])
      assert.deepEqual(
        ["a", "b", "c"].map((name) => store.read(name)[0]),
        [1, 2, 3]
      )
      const target = new Uint8Array(2)
      store.readInto("c", target.subarray(1))
      assert.deepEqual([...target], [0, 3])
      // What the shards agree on; "shard" differs in each.
      assert.deepEqual(store.metadata, { format: "pt" })
      assert.throws(() => store.read("d"), TensorMissing, "model.safetensors.index.json: no tensor")
      store.close()
      assert.throws(() => store.read("a"), "the file is closed")
      store.close()
    }
  })

  it("prefers the single file to an index, as transformers does", () => {
    const directory = model({ "model.safetensors": { a: 7 }, [one]: { a: 1 } }, weightMap({ a: one }))
    const store = openModelSync(directory)
    assert.deepEqual([...store.read("a")], [7])
    store.close()
  })

  it("names every missing shard", () => {
    const directory = model({ [one]: { a: 1 } }, weightMap({ a: one, b: two, c: "model-3.safetensors" }))
    const error = failure(directory, ModelIncomplete)
    assert.deepEqual(error.missingShards, [two, "model-3.safetensors"])
    assert.include(error.message, `missing shards: "${two}", "model-3.safetensors"; download the model again`)
  })

  it("names every tensor that is not where the index puts it", () => {
    const directory = model(
      { [one]: { a: 1, b: 2 }, [two]: { c: 3, extra: 4 } },
      weightMap({ a: one, b: two, c: two, d: one })
    )
    const error = failure(directory, ModelIncomplete)
    assert.deepEqual(error.missingTensors, [`b (${two})`, `d (${one})`])
    assert.deepEqual(error.unlistedTensors, [`b (${one})`, `extra (${two})`])
    assert.include(error.message, "tensors that their shard does not hold")
  })

  it("names the shard that is damaged", () => {
    const directory = model({ [one]: { a: 1 }, [two]: { b: 2 } })
    writeFileSync(join(directory, two), "garbage, and more of it")
    assert.strictEqual(failure(directory, SafetensorsInvalid).file, join(directory, two))
  })

  it("refuses an index that is no index, or that reaches outside its directory", () => {
    const refuses = (text: string, reason: string) => {
      const error = failure(model({ [one]: { a: 1 } }, text), SafetensorsInvalid)
      assert.include(error.message, "model.safetensors.index.json: ")
      assert.include(error.reason, reason)
    }
    refuses("", "expected '{'")
    refuses(`\ufeff${weightMap({ a: one })}`, "expected '{'")
    refuses("{}", "it has no weight_map")
    refuses('{"weight_map":[]}', "expected '{'")
    refuses('{"weight_map":{"a":1}}', "expected a string")
    refuses(`{"weight_map":{"a":"${one}","a":"${two}"}}`, 'the key "a" appears twice')
    refuses(`${weightMap({ a: one })}x`, "expected nothing more")
    for (const outside of [
      "../x.safetensors",
      "/etc/passwd",
      "..",
      ".",
      "",
      "sub/x.safetensors",
      "..\\x.safetensors"
    ]) {
      refuses(weightMap({ a: outside }), "is not the name of a file beside the index")
    }
  })

  it("says what it looked for", () => {
    const directory = model({}, "none")
    const error = failure(directory, FileFailed)
    assert.strictEqual(error.code, "ENOENT")
    assert.include(error.message, "neither model.safetensors nor model.safetensors.index.json")
    assert.strictEqual(failure(join(directory, "absent"), FileFailed).code, "ENOENT")
  })
})

const failure = <C extends typeof FileFailed | typeof SafetensorsInvalid | typeof ModelIncomplete>(
  path: string,
  type: C
): InstanceType<C> => {
  try {
    openModelSync(path).close()
  } catch (error) {
    if (error instanceof type) return error as InstanceType<C>
    throw error
  }
  return assert.fail(`${path} was opened`)
}
