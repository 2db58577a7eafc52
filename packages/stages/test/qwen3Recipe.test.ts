/** The stages of SPEED-Q on models with a Qwen3 decoder: with a head of its own, and with one that is tied to the embedding. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Safetensors } from "@speedq/formats"
import { noGrad, scope, tensor } from "@speedq/tensors"
import { decoder, embedTokens, logitsOfRows } from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { afterAll, assert, describe, it } from "vitest"
import { openAnsweringModel } from "../src/model/answeringModel.ts"
import { evaluation, makeNanoRuns, shortStages, writeNanoModel } from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-qwen3-"))
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

const recipe = (model: string) => ({
  version: 1,
  name: "qwen3",
  model,
  seed: 7,
  stages: [
    { ...shortStages.adaround, iterations: 10 },
    shortStages.projector,
    shortStages.autoclip,
    shortStages.qat,
    { use: "export", format: "fake-quant", with: { dtype: "f32" } },
    { use: "export", format: "packed" },
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
            const hidden = decoder(weights, llm_config, embedTokens(weights, integers(ids, [1, ids.length])), {
              ids: places
            })
            return logitsOfRows(weights, llm_config, hidden, integers([...ids.keys()], [ids.length]))
          })
        )
        const values = Float32Array.from(yield* Effect.promise(() => logits.read()))
        logits.release()
        return values
      })
    )
  )

describe.each([
  ["a head of its own", false],
  ["a tied head", true]
])("Qwen3 with %s", (_, tied) => {
  it("passes all stages, trains the norms of queries and keys, and exports what the run computed", async () => {
    const model = await writeNanoModel(join(root, `model-${tied}`), 1, qwen3(tied))
    const directory = join(root, `run-${tied}`)
    const { exit } = await runs.run(recipe(model), directory)
    if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
    const [whole, packed] = ["fake-quant-f32", "packed"].map((name) => join(directory, "model", name)) as [
      string,
      string
    ]
    const [source, exported] = [model, whole].map((from) => Safetensors.openModelSync(from))
    assert.sameMembers([...exported!.tensors.keys()], [...source!.tensors.keys()])
    assert.strictEqual(exported!.tensors.has("language_model.lm_head.weight"), !tied)
    for (const norm of ["q_norm", "k_norm"]) {
      const name = `language_model.model.layers.4.self_attn.${norm}.weight`
      assert.deepStrictEqual([...exported!.tensors.get(name)!.shape], [32])
      assert.notDeepEqual(exported!.read(name), source!.read(name), `${name} was trained`)
    }
    for (const store of [source!, exported!]) store.close()
    const [a, b] = [await logitsOf(whole), await logitsOf(packed)]
    assert.isAbove(Math.max(...a), 0)
    assert.isBelow(Math.max(...a.map((value, i) => Math.abs(value - b[i]!))), 1e-4)
  }, 120_000)

  it("weights the tower's errors by the answers of this decoder", async () => {
    const model = await writeNanoModel(join(root, `answers-${tied}`), 1, qwen3(tied))
    const short = { ...shortStages.adaround, count: 4, iterations: 4, batch: 2 }
    const [plain, fisher] = await Promise.all(
      (["none", "fisher"] as const).map(async (weighting) => {
        const directory = join(root, `${weighting}-${tied}`)
        const { exit } = await runs.run({ ...recipe(model), stages: [{ ...short, weighting }] }, directory)
        if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
        return readFileSync(join(directory, "stages/01-adaround-vit/report.json"), "utf8")
      })
    )
    assert.notStrictEqual(fisher, plain)
  }, 60_000)
})
