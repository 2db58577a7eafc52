/** A model in transformers' own layout stays in it, whichever way its export goes: the names are those that its config.json wants. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { decodeExport, deployModel, writeExport } from "@speedq/exports"
import { Safetensors, type TensorStore } from "@speedq/formats"
import { bilevel } from "@speedq/quantizers"
import { Compute, openSourceModel } from "@speedq/stages"
import { storedNames } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, it } from "vitest"
import { exportModel } from "../src/models/exportModel.ts"
import { randomNano } from "./support/smallRun.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-layout-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Rewrites a model directory as transformers has it: config.json in its words, the fused qkv in three. */
const toHuggingface = async (original: string): Promise<string> => {
  const directory = join(root, "hf")
  cpSync(original, directory, { recursive: true })
  const { llm_config, vision_config, downsample_ratio } = JSON.parse(
    readFileSync(join(original, "config.json"), "utf8")
  )
  const { image_size, patch_size } = vision_config
  const config = {
    model_type: "internvl",
    downsample_ratio,
    vision_feature_layer: -1,
    text_config: llm_config,
    vision_config: {
      ...vision_config,
      image_size: [image_size, image_size],
      patch_size: [patch_size, patch_size],
      attention_bias: true,
      use_qk_norm: false
    }
  }
  writeFileSync(join(directory, "config.json"), JSON.stringify(config))
  const store = Safetensors.openSync(join(original, "model.safetensors"))
  const sources = [...storedNames(store.tensors.keys(), "huggingface")].flatMap(([name, pieces]) => {
    const { dtype, shape } = store.tensors.get(name)!
    const bytes = store.read(name)
    return pieces.map((piece, at) => ({
      name: piece,
      dtype,
      shape: [shape[0]! / pieces.length, ...shape.slice(1)],
      data: Effect.succeed(
        bytes.subarray((at * bytes.length) / pieces.length, ((at + 1) * bytes.length) / pieces.length)
      )
    }))
  })
  await Effect.runPromise(
    Safetensors.write(join(directory, "model.safetensors"), sources, { metadata: { format: "pt" } })
  )
  store.close()
  return directory
}

it("from a run, and from a packed model of it, with the same bytes", async () => {
  const source = await toHuggingface(await randomNano(root))
  const [whole, packed, unpacked] = ["whole", "packed", "unpacked"].map((name) => join(root, name)) as [
    string,
    string,
    string
  ]
  const nearest = new Map([["vision_model.encoder.layers.0.attn.qkv", bilevel({ bits: 2, group: 16, scaleGroup: 16 })]])
  await Effect.gen(function* () {
    const opened = yield* openSourceModel(source)
    const deployed = yield* Effect.promise(() => deployModel(opened, {}, { rest: "bf16", nearest }))
    const model = { source: opened, deployed, recipe: "nearest" }
    const fakeQuant = decodeExport({ format: "fake-quant", with: { dtype: "f32" } })
    yield* writeExport(fakeQuant, { ...model, directory: whole })
    yield* writeExport(decodeExport({ format: "packed" }), { ...model, directory: packed })
    deployed.release()
  }).pipe(Effect.scoped, Effect.provide(Compute.layer({ backend: "native:none" })), Effect.runPromise)
  const formats = new Map([["fake-quant", { dtype: "f32" }]])
  await exportModel(packed, { formats, out: unpacked }, "native:none").pipe(
    Effect.provide(NodeServices.layer),
    Effect.runPromise
  )
  const [before, direct, again] = [source, whole, unpacked].map((from) =>
    Safetensors.openSync(join(from, "model.safetensors"))
  ) as [TensorStore, TensorStore, TensorStore]
  assert.include([...before.tensors.keys()], "vision_tower.encoder.layer.0.attention.k_proj.weight")
  assert.sameMembers([...direct.tensors.keys()], [...before.tensors.keys()])
  assert.sameMembers([...again.tensors.keys()], [...before.tensors.keys()])
  for (const name of before.tensors.keys()) assert.deepEqual(again.read(name), direct.read(name), name)
  for (const store of [before, direct, again]) store.close()
})
