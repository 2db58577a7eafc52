/** What stages take of a device's memory, apart from the host's: their tensors, and the largest of them. */
import { join } from "node:path"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Preflight, processBytes, Recipe, TensorMemory } from "@speedq/pipeline"
import { readModelConfig } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"
import { largestTensor } from "../src/planning/largestTensor.ts"
import { stages } from "../src/registry/stages.ts"
import { eachStage, makeNanoRuns, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const { root, model } = await nanoFolder("device-memory", makeNanoRuns())

/** A GPU that loses nothing. */
const gpu: TensorMemory = {
  device: "gpujs:webgpu (nvidia)",
  ...{ bytes: 2 ** 40, source: "nvidia-smi", shared: false, largestBytes: 2 ** 31, overhead: 0 }
}

const planOf = (recipe: object, memory?: TensorMemory) =>
  Effect.runPromise(
    Effect.gen(function* () {
      return yield* Preflight.plan(yield* Recipe.decode(stages, recipe), join(root, "none"), { time: false })
    }).pipe(Effect.provideService(TensorMemory, Effect.succeed(memory)), Effect.provide(NodeServices.layer))
  )

const recipeOf = (...of: readonly object[]) => ({ version: 1, name: "placed", model, stages: of })

describe("a plan for a device", () => {
  it("tells of every stage its tensors there, and what is left with the process", async () => {
    const recipes = [
      eachStage(model),
      recipeOf(shortStages.adaround, shortStages.projector, shortStages.adaroundLanguage),
      recipeOf(shortStages.blockwise),
      recipeOf({ ...shortStages.qat, use: "joint-qat" }),
      ...(["gptq", "awq"] as const).map((use) =>
        recipeOf({ use, calibration: shortStages.qat.data, samples: 4, quantizers: shortStages.qat.quantizers })
      ),
      recipeOf({ use: "round-language", quantizers: shortStages.qat.quantizers })
    ]
    for (const recipe of recipes) {
      const [here, there] = await Promise.all([planOf(recipe), planOf(recipe, gpu)])
      assert.deepStrictEqual(there.problems, here.problems)
      for (const [index, { place, forecast }] of there.stages.entries()) {
        const { memoryBytes, tensorBytes = 0, largest } = here.stages[index]!.forecast
        assert.isAbove(tensorBytes, 0, place)
        assert.strictEqual(forecast.deviceBytes, tensorBytes, place)
        const rest = Math.max(processBytes, memoryBytes - tensorBytes)
        assert.strictEqual(forecast.memoryBytes, rest + 2 * (largest?.bytes ?? Number.NaN), place)
        assert.isBelow(largest!.bytes, tensorBytes, place)
      }
    }
  })

  it("keeps inner values where the device has room for them, whatever the host has, and not where that is unknown", async () => {
    const linesOn = async (bytes: number | undefined) => {
      const { stages } = await planOf({ ...recipeOf(shortStages.qat), memory: { limit: "1 GiB" } }, { ...gpu, bytes })
      return stages[0]!.forecast.lines.join("\n")
    }
    assert.match(await linesOn(2 ** 40), /keeps the inner values of decoder layers/)
    assert.match(await linesOn(2 ** 20), /recomputes decoder layers .* would take [\d.]+ MiB$/m)
    assert.match(
      await linesOn(undefined),
      /recomputes decoder layers .*, and how much there is on the device is not known/
    )
  })

  it("refuses a tensor that the device does not bind, by its name, and no other", async () => {
    const problemsOn = async (largestBytes: number) =>
      (await planOf(recipeOf(shortStages.qat), { ...gpu, largestBytes })).problems.map(({ issue }) => issue)
    const { bytes, tensor } = (await planOf(recipeOf(shortStages.qat))).stages[0]!.forecast.largest!
    assert.deepStrictEqual(await problemsOn(bytes), [])
    const [issue, ...more] = await problemsOn(bytes - 1)
    assert.isEmpty(more)
    assert.isTrue(issue?.startsWith(`${tensor} takes `), issue)
    assert.include(issue, "gpujs:webgpu (nvidia) binds at most")
  })

  it("finds the largest of weights as they are stored and computed with, and of what passes the layers", () => {
    const config = readModelConfig(model)
    const of = (extent: Parameters<typeof largestTensor>[1]) => largestTensor({ config, stored: "bf16" }, extent)
    const { vocab_size, hidden_size, intermediate_size } = config.llm_config
    const embedding = `language_model.model.embed_tokens.weight [${vocab_size}, ${hidden_size}]`
    assert.deepStrictEqual(of({}), { tensor: `${embedding} in bf16`, bytes: 2 * vocab_size * hidden_size })
    assert.deepStrictEqual(of({ widened: [{ layer: "language_model.model.embed_tokens" }] }), {
      tensor: `${embedding} in f32`,
      bytes: 4 * vocab_size * hidden_size
    })
    assert.deepStrictEqual(of({ tokens: 5000 }), {
      tensor: `activations of a decoder layer [5000, ${intermediate_size}] in f32`,
      bytes: 4 * 5000 * intermediate_size
    })
  })
})
