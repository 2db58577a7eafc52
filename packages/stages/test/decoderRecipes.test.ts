/**
 * The stages of SPEED-Q on models with other decoders than nano's: Qwen3 with a head of its own, Qwen3 with one that is tied to the
 * embedding, and InternLM2, which has its own names, one Linear for queries, keys and values, and a SentencePiece tokenizer.
 */
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Safetensors } from "@speedq/formats"
import { Preflight, Recipe } from "@speedq/pipeline"
import { noGrad, scope, tensor } from "@speedq/tensors"
import {
  bytePieces,
  decoder,
  embedTokens,
  loadTokenizer,
  logitsOfRows,
  modelTensors,
  readModelConfig,
  SpecialTokens,
  writeSentencePiece
} from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { afterAll, assert, describe, it } from "vitest"
import { readBlocks } from "../src/calibration/calibration.ts"
import { openAnsweringModel } from "../src/model/answeringModel.ts"
import { stages as known } from "../src/registry/stages.ts"
import { evaluation, makeNanoRuns, nanoData, shortStages, writeNanoModel } from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-decoders-"))
const runs = makeNanoRuns()
afterAll(async () => {
  await runs.dispose()
  rmSync(root, { recursive: true, force: true })
})

const qwen3 = (tied: boolean) => ({
  architectures: ["Qwen3ForCausalLM"],
  model_type: "qwen3",
  // Wider together (128) than the model (64).
  head_dim: 32,
  attention_bias: false,
  tie_word_embeddings: tied
})

const internlm2Tokens = SpecialTokens.addedTokensOf("internlm2").map((token, at) => ({
  ...token,
  id: bytePieces.length + at
}))
const internlm2 = {
  architectures: ["InternLM2ForCausalLM"],
  model_type: "internlm2",
  bias: false,
  rope_scaling: { type: "dynamic", factor: 2 },
  vocab_size: bytePieces.length + internlm2Tokens.length
}

const writeModel = async (name: string, language: object): Promise<string> => {
  const model = await writeNanoModel(join(root, name), 1, language)
  if (language === internlm2) {
    for (const file of ["tokenizer.json", "vocab.json", "merges.txt"]) rmSync(join(model, file))
    await Effect.runPromise(writeSentencePiece(model, internlm2Tokens))
  }
  return model
}

const recipe = (model: string) => ({
  version: 1,
  name: "decoders",
  model,
  seed: 7,
  stages: [
    { ...shortStages.adaround, iterations: 10 },
    shortStages.projector,
    shortStages.autoclip,
    // Norms are exported in bf16: the steps must be wider than its distances near 1.
    { ...shortStages.qat, learningRate: 0.01 },
    { use: "export", format: "fake-quant", with: { dtype: "f32" } },
    { use: "export", format: "packed" },
    { use: "export", format: "quant-details" },
    evaluation("SPEED-Q 2-bit")
  ]
})

/** Logits of a short text, by whatever weights a directory has. */
const logitsOf = (directory: string) =>
  runs.runtime.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const { backend, weights, directory: opened } = yield* openAnsweringModel(directory)
        const { llm_config } = opened.config
        const ids = opened.tokenizer.encode("What is shown?")
        const integers = (values: ArrayLike<number>, shape: readonly number[]) =>
          tensor(backend, Int32Array.from(values), shape, "i32")
        const logits = noGrad(() =>
          scope(() => {
            const places = integers([...ids.keys()], [1, ids.length])
            const hidden = decoder(
              weights,
              llm_config,
              embedTokens(weights, llm_config, integers(ids, [1, ids.length])),
              {
                ids: places
              }
            )
            return logitsOfRows(weights, llm_config, hidden, integers([...ids.keys()], [ids.length]))
          })
        )
        const values = Float32Array.from(yield* Effect.promise(() => logits.read()))
        logits.release()
        return values
      })
    )
  )

describe("a plan of the clipping search", () => {
  it("counts a head that is tied to the embedding once", async () => {
    const [own, tied] = await Promise.all(
      [false, true].map(async (isTied) => {
        const model = await writeModel(`plan-${isTied}`, qwen3(isTied))
        const decoded = Recipe.decode(known, { ...recipe(model), stages: [shortStages.autoclip] })
        const planned = Effect.flatMap(decoded, (made) => Preflight.plan(made, join(root, "none"), { time: false }))
        const { memoryBytes } = await runs.runtime.runPromise(planned)
        return { memoryBytes, config: readModelConfig(model), bytes: statSync(join(model, "model.safetensors")).size }
      })
    )
    const { vocab_size, hidden_size } = own!.config.llm_config
    const heads = own!.memoryBytes - own!.bytes - (tied!.memoryBytes - tied!.bytes)
    assert.strictEqual(heads, 4 * vocab_size * hidden_size)
  })
})

describe.each([
  ["Qwen3 with a head of its own", qwen3(false), ["self_attn.q_norm", "self_attn.k_norm"]],
  ["Qwen3 with a tied head", qwen3(true), ["self_attn.q_norm", "self_attn.k_norm"]],
  ["InternLM2", internlm2, ["attention_norm", "ffn_norm"]]
] as const)("%s", (decoder, language, trained) => {
  it("passes all stages, trains its norms, and exports what the run computed", async () => {
    const model = await writeModel(`${decoder}, model`, language)
    const directory = join(root, `${decoder}, run`)
    const { exit } = await runs.run(recipe(model), directory)
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    const exports = ["fake-quant-f32", "packed", "quant-details"].map((name) => join(directory, "model", name))
    const [whole, packed, details] = exports as [string, string, string]
    const [source, exported] = [model, whole].map((from) => Safetensors.openModelSync(from))
    assert.sameMembers([...exported!.tensors.keys()], [...source!.tensors.keys()])
    assert.sameMembers([...source!.tensors.keys()], [...modelTensors(readModelConfig(model)).keys()])
    for (const part of trained) {
      // Norms are exported in bf16, which does not show every small step of every layer.
      const changed = [0, 1, 2, 3, 4].filter((layer) => {
        const name = `language_model.model.layers.${layer}.${part}.weight`
        return Buffer.compare(exported!.read(name), source!.read(name)) !== 0
      })
      assert.isNotEmpty(changed, `${part} was trained`)
    }
    for (const store of [source!, exported!]) store.close()
    const expected = await logitsOf(whole)
    assert.isAbove(Math.max(...expected), 0)
    for (const other of [packed, details]) {
      const logits = await logitsOf(other)
      assert.isBelow(Math.max(...expected.map((value, i) => Math.abs(value - logits[i]!))), 1e-4, other)
    }
  })

  it.each(["gptq", "awq"])("passes %s, which at 8 bits hardly changes what the decoder computes", async (use) => {
    const model = await writeModel(`${decoder}, ${use} model`, language)
    const quantizers = [{ match: "**", tower: "language", use: "uniform", with: { bits: 8, group: 32, scale: "f32" } }]
    const calibration = { meta: join(nanoData, "datasets.json") }
    const stage = { use, calibration, quantizers, samples: 2, embeddings: null, ...(use === "awq" && { steps: 4 }) }
    const stages = [stage, { use: "export", format: "packed" }]
    const directory = join(root, `${decoder}, ${use}`)
    const { exit } = await runs.run({ ...recipe(model), stages }, directory)
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    const [before, after] = [await logitsOf(model), await logitsOf(join(directory, "model/packed"))]
    const size = (values: Float32Array) => Math.hypot(...values)
    const distance = size(after.map((value, i) => value - before[i]!)) / size(before)
    assert.isBelow(distance, 0.02)
    assert.isAbove(distance, 0)
  })

  it("weights the tower's errors by the answers of this decoder", async () => {
    const model = await writeModel(`${decoder}, answers`, language)
    const short = { ...shortStages.adaround, count: 4, iterations: 4, batch: 2 }
    const [plain, fisher] = await Promise.all(
      (["none", "fisher"] as const).map(async (weighting) => {
        const directory = join(root, `${decoder}, ${weighting}`)
        const { exit } = await runs.run({ ...recipe(model), stages: [{ ...short, weighting }] }, directory)
        if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
        return readFileSync(join(directory, "stages/01-adaround-vit/report.json"), "utf8")
      })
    )
    assert.notStrictEqual(fisher, plain)
  })
})

it("a calibration text of InternLM2 begins with the token that its sequences begin with", async () => {
  const directory = join(root, "calibration")
  const file = join(directory, "text.txt")
  const blocks = await Effect.runPromise(
    Effect.gen(function* () {
      yield* writeSentencePiece(directory, internlm2Tokens)
      writeFileSync(file, "ab")
      return yield* readBlocks(file, yield* loadTokenizer(directory), { documents: 1, longest: 8, block: 3 })
    })
  )
  assert.deepStrictEqual(
    blocks.map((block) => [...block]),
    [[1, 3 + 97, 3 + 98]]
  )
})
