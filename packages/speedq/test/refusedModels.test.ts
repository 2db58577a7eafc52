/** Models that the network cannot compute, and weights that are quantized already: refused by name, by every command in the same words. */
import { cpSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { decodeExport, deployModel, writeExport } from "@speedq/exports"
import { Safetensors } from "@speedq/formats"
import { bilevel } from "@speedq/quantizers"
import { Compute, openSourceModel } from "@speedq/stages"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { speedq } from "./support/inProcess.ts"
import { randomNano, speedqStages, writeRecipe } from "./support/smallRun.ts"
import { temporaryDirectory } from "./support/speedq.ts"

type Json = { readonly [key: string]: unknown }

/** The nano model with another config. */
const nanoWith = async (change: (config: Json & { readonly llm_config: Json }) => Json): Promise<string> => {
  const model = await randomNano(temporaryDirectory())
  const file = join(model, "config.json")
  writeFileSync(file, JSON.stringify(change(JSON.parse(readFileSync(file, "utf8")))))
  return model
}

const language = (changes: Json) => (config: Json & { readonly llm_config: Json }) => ({
  ...config,
  llm_config: { ...config.llm_config, ...changes }
})

/** What the command says when it refuses a model. */
const refusal = async (...args: readonly string[]): Promise<string> => {
  const { code, stdout, stderr } = await speedq(args)
  assert.strictEqual(code, 1, stdout + stderr)
  return stdout + stderr
}

describe("plan and chat", () => {
  it.each([
    [
      "InternLM3",
      language({ model_type: "internlm3", architectures: ["InternLM3ForCausalLM"] }),
      'its language model is "InternLM3ForCausalLM", "internlm3" (model_type, architectures), which this software does not compute'
    ],
    [
      "a GPTQ model",
      language({ quantization_config: { quant_method: "gptq", bits: 4 } }),
      'its weights are quantized already (quantization_config "gptq")'
    ]
  ] as const)("refuse %s in the same words", async (_, change, words) => {
    const model = await nanoWith(change)
    const planned = await refusal("plan", writeRecipe(model, speedqStages(1)))
    // Once, and nothing after the advice that the refusal ends with.
    assert.strictEqual(planned.split(words).length, 2, planned)
    assert.notMatch(planned, /correct/)
    assert.include(await refusal("chat", model, "hello", "--backend", "native:none"), words)
  })

  it("refuse a model whose statistics nothing states", async () => {
    const model = await randomNano(temporaryDirectory())
    rmSync(join(model, "preprocessor_config.json"))
    const words = "nothing says with which mean and deviation pixels are normalized"
    assert.include(await refusal("plan", writeRecipe(model, speedqStages(1))), words)
    assert.include(await refusal("chat", model, "hello", "--backend", "native:none"), words)
  })

  it("refuse a checkpoint whose tensors are quantized, whatever its config says", async () => {
    const model = await randomNano(temporaryDirectory())
    const file = join(model, "model.safetensors")
    const store = Safetensors.openSync(file)
    const name = "language_model.model.layers.0.mlp.up_proj.weight"
    const sources = [...store.tensors].map(([stored, { dtype, shape }]) => ({
      name: stored === name ? name.replace(".weight", ".qweight") : stored,
      dtype,
      shape,
      data: Effect.succeed(store.read(stored))
    }))
    await Effect.runPromise(Safetensors.write(`${file}.new`, sources, { metadata: { format: "pt" } }))
    store.close()
    cpSync(`${file}.new`, file)
    const words = "up_proj.qweight"
    assert.include(await refusal("plan", writeRecipe(model, speedqStages(1))), words)
    assert.include(await refusal("chat", model, "hello", "--backend", "native:none"), words)
  })
})

it("plan and run refuse a packed model to start from, and chat answers with it", async () => {
  const directory = temporaryDirectory()
  const source = await randomNano(directory)
  const packed = join(directory, "packed")
  const nearest = new Map([["vision_model.encoder.layers.0.attn.qkv", bilevel({ bits: 2, group: 16, scaleGroup: 16 })]])
  await Effect.gen(function* () {
    const opened = yield* openSourceModel(source)
    const deployed = yield* Effect.promise(() => deployModel(opened, {}, { rest: "bf16", nearest }))
    const model = { source: opened, deployed, recipe: "nearest", directory: packed }
    yield* writeExport(decodeExport({ format: "packed" }), model)
    deployed.release()
  }).pipe(Effect.scoped, Effect.provide(Compute.layer({ backend: "native:none" })), Effect.runPromise)
  const recipe = writeRecipe(packed, speedqStages(1))
  const words = "its weights are packed, an export of this software; give the full-precision model"
  assert.include(await refusal("plan", recipe), words)
  assert.include(await refusal("run", recipe, "--out", join(directory, "run")), words)
  const { code, stderr } = await speedq(["chat", packed, "hello", "--max-new-tokens", "2", "--backend", "native:none"])
  assert.strictEqual(code, 0, stderr)
})
