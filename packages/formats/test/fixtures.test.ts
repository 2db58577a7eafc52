/** Every safetensors fixture of the repository, as PyTorch wrote it. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { assert, describe, it } from "vitest"
import { typedView } from "../src/numbers/DType.ts"
import { decodeFloats, isFloatDType } from "../src/numbers/floats.ts"
import { openFileSync } from "../src/safetensors/SafetensorsFile.ts"
import { openModelSync } from "../src/safetensors/SafetensorsModel.ts"

const root = fileURLToPath(new URL("../../../test/fixtures", import.meta.url))
const fixtures = readdirSync(root, { recursive: true, encoding: "utf8" }).filter((name) =>
  name.endsWith(".safetensors")
)

describe("fixtures", () => {
  it("are all there", () => {
    assert.isAtLeast(fixtures.length, 69)
  })

  it.each(fixtures)("%s reads as its header says", (name) => {
    const file = readFileSync(join(root, name))
    const length = Number(file.readBigUInt64LE(0))
    const header = JSON.parse(file.toString("utf8", 8, 8 + length)) as Record<string, Record<string, unknown>>
    const { __metadata__: metadata = {}, ...entries } = header
    const store = openFileSync(join(root, name))
    assert.deepEqual({ ...store.metadata }, metadata)
    assert.sameMembers([...store.tensors.keys()], Object.keys(entries))
    for (const [tensor, { dtype, shape, byteLength }] of store.tensors) {
      assert.deepEqual({ dtype, shape }, { dtype: entries[tensor]!.dtype, shape: entries[tensor]!.shape })
      const [begin, end] = entries[tensor]!.data_offsets as [number, number]
      const bytes = store.read(tensor)
      assert.strictEqual(bytes.byteLength, byteLength)
      assert.isTrue(file.subarray(8 + length + begin, 8 + length + end).equals(bytes), tensor)
      if (isFloatDType(dtype)) assert.isTrue(decodeFloats(dtype, bytes).every(Number.isFinite), tensor)
      const rows = shape[0] ?? 0
      if (rows < 2) continue
      const parts = [store.read(tensor, { rows: [0, 1] }), store.read(tensor, { rows: [1, rows] })]
      assert.isTrue(Buffer.concat(parts).equals(bytes), `${tensor} by rows`)
    }
    store.close()
  })

  it("have values that belong together: dequantized = scale * (code - zero), group by group", () => {
    const store = openFileSync(join(root, "quantizers/bilevel-normal-b2-g16-qq16-48x80.safetensors"))
    const floats = (name: string) => typedView("F32", store.read(name))
    const [dequantized, scale, zero] = [floats("dequantized"), floats("scale"), floats("zero")]
    store.read("codes").forEach((code, i) => {
      const group = Math.floor(i / 16)
      assert.closeTo(dequantized[i]!, scale[group]! * (code - zero[group]!), 1e-6)
    })
    store.close()
  })

  it("include a model directory", () => {
    const model = openModelSync(join(root, "internvl3/checkpoint"))
    assert.deepEqual(model.tensors.get("language_model.model.embed_tokens.weight")?.shape, [160, 64])
    model.close()
  })
})
