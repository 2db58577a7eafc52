/** Weights that the reference quantized are written in this program's formats by the command. */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import type { Exported } from "@speedq/exports"
import { bytesOf, Safetensors, typedView } from "@speedq/formats"
import * as Effect from "effect/Effect"
import { afterAll, assert, it } from "vitest"
import { json } from "./support/inProcess.ts"
import { randomNano } from "./support/smallRun.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-reference-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

type Entries = { readonly [name: string]: readonly [dtype: "I8" | "F32", shape: readonly number[], value: number] }

const write = async (file: string, entries: Entries): Promise<void> => {
  mkdirSync(dirname(file), { recursive: true })
  const sources = Object.entries(entries).map(([name, [dtype, shape, value]]) => {
    const count = shape.reduce((product, extent) => product * extent, 1)
    const values = dtype === "I8" ? new Int8Array(count).fill(value) : new Float32Array(count).fill(value)
    return { name, dtype, shape, data: Effect.succeed(bytesOf(values)) }
  })
  await Effect.runPromise(Safetensors.write(file, sources))
}

it("one Linear of theirs, the rest of the checkpoint beside it", async () => {
  const model = await randomNano(root)
  const [weight, shape] = ["language_model.model.layers.0.mlp.up_proj.weight", [128, 64]] as const
  const groups = (128 * 64) / 16
  await write(join(model, "quant_details", "not_quantized_weights.safetensors"), { "mlp1.3.bias": ["F32", [64], 0.5] })
  // Every code 3 around zero point 1, with scale step (code - zero) = 0.25 (2 + 2) = 1: 2 everywhere.
  await write(join(model, "quant_details", "0", "mlp.up_proj"), {
    quant_weights: ["I8", [groups, 16], 3],
    quant_layer_scale: ["I8", [groups / 16, 16], 2],
    quant_layer_zeros: ["I8", [groups, 1], 1],
    quant_layer_scale_qq_scale: ["F32", [groups / 16, 1], 0.25],
    quant_layer_scale_qq_zero: ["F32", [groups / 16, 1], -2]
  })
  const exported = async (from: string, format: string, out: string) =>
    (await json([
      ...["export", from, "--format", format, ...(format === "packed" ? [] : ["--dtype", "f32"])],
      ...["--out", out, "--backend", "native:none"]
    ])) as Exported
  const [whole, packed, again] = ["whole", "packed", "again"].map((name) => join(root, name)) as [
    string,
    string,
    string
  ]
  assert.deepInclude(await exported(model, "fake-quant", whole), { exact: true, maxAbsErr: 0, layersFallenBack: [] })
  assert.deepInclude(await exported(model, "packed", packed), { exact: true, maxAbsErr: 0, layersFallenBack: [] })
  await exported(packed, "fake-quant", again)
  const [original, ...stores] = [model, whole, again].map((from) =>
    Safetensors.openSync(join(from, "model.safetensors"))
  )
  for (const store of stores) {
    assert.sameMembers([...store.tensors.keys()], [...original!.tensors.keys()])
    assert.deepEqual(store.tensors.get(weight)!.shape, shape)
    assert.isTrue(typedView("F32", store.read(weight)).every((value) => value === 2))
    assert.isTrue(typedView("F32", store.read("mlp1.3.bias")).every((value) => value === 0.5))
    store.close()
  }
  original!.close()
})
