import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { bytesOf, Safetensors } from "../src/index.ts"
import { counting, rawFile } from "./rawFile.ts"
import { temporaryDirectory } from "./temporaryDirectory.ts"

const directory = temporaryDirectory()
const path = join(directory, "a.safetensors")
const json = '{"__metadata__":{"k":"v"},"w":{"dtype":"I16","shape":[3,2],"data_offsets":[0,12]}}'
writeFileSync(path, rawFile(json, counting(12)))

describe("Safetensors.open", () => {
  it.effect("reads within its scope", () =>
    Effect.gen(function* () {
      const file = yield* Safetensors.open(path)
      assert.strictEqual(file.path, path)
      assert.deepEqual(file.metadata, { k: "v" })
      assert.deepEqual([...file.tensors.keys()], ["w"])
      assert.deepEqual(yield* file.read("w"), counting(12))
      assert.deepEqual(yield* file.read("w", { rows: [1, 2] }), counting(12).slice(4, 8))
      const target = new Int16Array(2)
      yield* file.readInto("w", bytesOf(target), { rows: [0, 1] })
      assert.deepEqual([...target], [0x0100, 0x0302])
      assert.deepEqual(file.store.read("w"), counting(12))
    })
  )

  it.effect("closes with its scope", () =>
    Effect.gen(function* () {
      const file = yield* Effect.scoped(Safetensors.open(path))
      const error = yield* Effect.flip(file.read("w"))
      assert.strictEqual(error._tag, "ReadRefused")
      assert.strictEqual(error.message, `${path}: tensor "w": the file is closed`)
    })
  )

  it.effect("has every error in its channel", () =>
    Effect.gen(function* () {
      const absent = yield* Effect.flip(Safetensors.open(join(directory, "absent")))
      assert.strictEqual(absent._tag, "FileFailed")
      const broken = join(directory, "broken.safetensors")
      writeFileSync(broken, rawFile('{"w":{"dtype":"I17","shape":[],"data_offsets":[0,0]}}'))
      const invalid = yield* Effect.flip(Safetensors.open(broken))
      assert.strictEqual(invalid._tag, "SafetensorsInvalid")
      assert.include(invalid.message, `${broken}: tensor "w": unknown dtype "I17"`)
      const file = yield* Safetensors.openModel(path)
      const missing = yield* Effect.flip(file.read("v"))
      assert.strictEqual(missing._tag, "TensorMissing")
      const refused = yield* Effect.flip(file.readInto("w", new Uint8Array(3)))
      assert.strictEqual(refused._tag, "ReadRefused")
    })
  )

  it.effect("leaves a programmer's mistake a defect", () =>
    Effect.gen(function* () {
      const file = yield* Safetensors.open(path)
      const exit = yield* Effect.exit(file.read("w", null as unknown as { rows: [number, number] }))
      assert.isTrue(Exit.hasDies(exit))
    })
  )
})
