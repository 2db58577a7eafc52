/** Bits allocated under a budget: what is chosen, that it is continued to the same bytes, and that later stages take it. */
import { readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { type Artefact, openSaved, RunEvents, type Stage } from "@speedq/pipeline"
import { encodeChoice, type QuantizerChoice } from "@speedq/quantizers"
import { sizeOf } from "@speedq/tensors"
import { linearLayers, readModelConfig } from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Result from "effect/Result"
import { assert, describe, it } from "vitest"
import { Allocation, QuantizedLanguage, QuantizedVision } from "../src/artefacts/artefacts.ts"
import { type Choices, planTowers } from "../src/model/plannedLayers.ts"
import { stages } from "../src/registry/stages.ts"
import { evaluation, eventsOfKind, makeNanoRuns, nanoData, shortStages } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("allocate", runs)

const bilevel = (bits: number, group: number) => ({ use: "bilevel", with: { bits, group, scaleGroup: 16 } })
const schemes = { w2: [{ match: "**", ...bilevel(2, 16) }], w4: [{ match: "**", ...bilevel(4, 32) }] }
const allocate = {
  use: "allocate-bits",
  budget: "3 bits",
  candidates: ["w2", "w4"],
  data: { meta: join(nanoData, "datasets.json") },
  records: 2
}
const round = { use: "round-language", quantizers: "w2" }
const recipe = (name: string, stages: readonly object[]) => ({
  version: 1,
  name,
  model,
  seed: 3,
  schemes,
  stages
})
const run = (name: string, stages: readonly object[], stop?: { readonly stage: string; readonly step: number }) =>
  runs.run(recipe(name, stages), join(root, name), stop)

const failureOf = ({ exit }: Awaited<ReturnType<typeof run>>): string => {
  const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
  return error instanceof Error ? error.message : String(error)
}

/** What a finished stage gave, as the next one would see it. */
const artefactOf = <A, E, R>(artefact: Artefact.Artefact<string, A, E, R>, name: string, place: string) =>
  Effect.flatMap(openSaved(join(root, name, "stages", place, `${artefact.name}.safetensors`)), artefact.codec.load)

const written = (choices: Iterable<readonly [string, QuantizerChoice]>) =>
  Object.fromEntries([...choices].map(([layer, choice]) => [layer, encodeChoice(choice)]))

const meanBits = (choices: Choices): number => {
  const shapes = linearLayers(readModelConfig(model))
  const sizes = [...choices].map(([layer, { quantizer, config }]) => {
    const weights = sizeOf(shapes.get(layer)!)
    return { weights, bits: weights * quantizer.bitsPerWeight(config) }
  })
  return sizes.reduce((sum, { bits }) => sum + bits, 0) / sizes.reduce((sum, { weights }) => sum + weights, 0)
}

describe("allocate-bits", () => {
  it("chooses within the budget, goes on to the same bytes, and decides for the stages after it", async () => {
    const parts = [allocate, { ...shortStages.adaround, count: 2, iterations: 1, batch: 2, quantizers: "w2" }, round]
    const whole = await run("whole", parts)
    assert.isTrue(Exit.isSuccess(whole.exit), failureOf(whole))
    await run("stopped", parts.slice(0, 1), { stage: "01-allocate-bits", step: 3 })
    const continued = await run("stopped", parts.slice(0, 1))
    assert.isTrue(Exit.isSuccess(continued.exit), failureOf(continued))
    const [a, b] = ["whole", "stopped"].map((name) =>
      readFileSync(join(root, name, "stages/01-allocate-bits/allocation.safetensors"))
    )
    assert.deepStrictEqual(a, b)
    assert.strictEqual(eventsOfKind(RunEvents.StepDone, continued.entries)[0]!.step, 4)

    const check = Effect.gen(function* () {
      const allocation = yield* artefactOf(Allocation, "whole", "01-allocate-bits")
      const vision = yield* artefactOf(QuantizedVision, "whole", "02-adaround-vit")
      const language = yield* artefactOf(QuantizedLanguage, "whole", "03-round-language")
      const packed = [...vision.packed].map(([layer, { choice }]) => [layer, choice] as const)
      const rounded = [...language.choices].filter(([layer]) => !/embed_tokens|lm_head/.test(layer))
      assert.deepStrictEqual(written([...packed, ...rounded]), written(allocation))
      assert.strictEqual(
        new Set([...allocation.values()].map(({ quantizer, config }) => quantizer.bitsPerWeight(config))).size,
        2
      )
      // A block of the decoder more would exceed it.
      assert.isTrue(meanBits(allocation) <= 3 && meanBits(allocation) > 2.7, String(meanBits(allocation)))
    })
    await runs.runtime.runPromise(Effect.scoped(check))
  })

  it.each([
    ["2 bits", /below the cheapest candidates, which take 2\.500 bits a weight .*set budget to 2\.5 bits or more/],
    ["1 kB", /the budget of 0\.0\d\d bits a weight \(1000 B\) is below/],
    ["2 bytes a weight", /budget such as "2.3 bits" or "300 MB"/]
  ])("refuses a budget of %s", async (budget, message) => {
    assert.match(failureOf(await run(`budget ${budget}`, [{ ...allocate, budget }])), message)
  })

  it("refuses candidates that are about different layers, or about others than Linears of blocks", async () => {
    const [two] = schemes.w2
    const language = await run("different", [{ ...allocate, candidates: ["w2", [{ ...two, tower: "language" }]] }])
    assert.match(failureOf(language), /candidates\[0\] and candidates\[1\] name different layers, 12 of them/)
    const embedding = [{ match: "**", layers: "embedding", use: "embedding-sym4" }]
    assert.match(failureOf(await run("embedding", [{ ...allocate, candidates: [embedding] }])), /no Linear/)
  })

  it("needs records with answers, and with pictures where the tower is among the candidates", async () => {
    const lines = [
      {
        conversations: [
          { from: "human", value: "Say hello." },
          { from: "gpt", value: "Hello." }
        ]
      },
      { conversations: [{ from: "human", value: "Say nothing." }] }
    ]
    const failureOn = async (line: number) => {
      const [annotation, meta] = [join(root, `text-${line}.jsonl`), join(root, `text-${line}.json`)]
      writeFileSync(annotation, `${JSON.stringify(lines[line])}\n`)
      writeFileSync(meta, JSON.stringify({ text: { root: "", annotation, repeat_time: 1, length: 1 } }))
      return failureOf(await run(`text-${line}`, [{ ...allocate, data: { meta } }]))
    }
    assert.match(await failureOn(0), /the first 1 records of .* have no pictures.*or name the language model alone/)
    assert.match(await failureOn(1), /have no answer to measure a divergence on/)
  })

  it("warns of a budget that decides nothing", async () => {
    const language = [{ ...schemes.w2[0], tower: "language" }]
    const { entries } = await run("dear", [{ ...allocate, budget: "9 bits", candidates: [language] }], {
      stage: "01-allocate-bits",
      step: 1
    })
    const [warning] = eventsOfKind(RunEvents.Warning, entries)
    assert.match(warning!.message, /9\.000 bits a weight .* above the dearest candidates, which take 2\.500 bits/)
  })
})

describe("an allocation", () => {
  it("goes before the rules of a stage, for the layers that both name", async () => {
    const config = readModelConfig(model)
    const layer = "language_model.model.layers.1.mlp.up_proj"
    const outside = "vision_model.encoder.layers.0.attn.qkv"
    const { choices: fours } = await Effect.runPromise(planTowers(config, ["language", "vision"], schemes.w4))
    const allocation = new Map([layer, outside].map((name) => [name, fours.get(name)!]))
    const planned = await Effect.runPromise(planTowers(config, ["language"], schemes.w2, "careful", allocation))
    const bits = planned.plan.layers.map(({ name, bitsPerWeight }) => [name, bitsPerWeight])
    assert.deepStrictEqual(
      bits.filter(([, each]) => each !== 2.5),
      [[layer, 4.3125]]
    )
    assert.deepStrictEqual(written(planned.choices)[layer], written(allocation)[layer])
    assert.isFalse(planned.choices.has(outside))
  })

  it("is used by every stage that decides quantizers by rules", () => {
    const quantizers = schemes.w2
    const { use: _, ...asking } = evaluation("asks")
    const configs: ReadonlyArray<readonly [string, object, boolean]> = [
      ["adaround-vit", { images: "none", quantizers }, true],
      ["blockwise-vit", { images: "none", quantizers }, true],
      ["import-vit", { weights: "none" }, true],
      ["autoclip", { calibration: "text.jsonl", quantizers }, true],
      ["adaround-language", { calibration: "text.jsonl", quantizers }, true],
      ["blockwise", { calibration: "text.jsonl", quantizers }, true],
      ["gptq", { calibration: { meta: "none" }, quantizers }, true],
      ["awq", { calibration: { meta: "none" }, quantizers }, true],
      ["round-language", { quantizers }, true],
      ["qat", { data: { meta: "none" }, quantizers }, true],
      ["joint-qat", { data: { meta: "none" }, quantizers }, true],
      ["evaluate", { ...asking, nearest: quantizers }, true],
      // What it rounds nothing of is of the allocation already, or in full precision.
      ["evaluate", asking, false]
    ]
    for (const [use, config, expected] of configs) {
      const kind: Stage.Registered = stages.find(({ name }) => name === use)!
      const { uses } = Result.getOrThrow(kind.decode(config))
      const takes = uses.some(({ name }) => name === Allocation.name)
      assert.strictEqual(takes, expected, use)
    }
  })
})
