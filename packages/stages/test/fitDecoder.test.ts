/** Stages that fit the decoder layer by layer: what they give, and that an interruption changes none of it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { openSaved, RunEvents } from "@speedq/pipeline"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { afterAll, assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { QuantizedLanguage } from "../src/artefacts/artefacts.ts"
import { Compute } from "../src/compute/Compute.ts"
import { eventsOfKind, makeNanoRuns, nanoData, shortStages } from "./support/nano.ts"

const runs = makeNanoRuns()
const root = mkdtempSync(join(tmpdir(), "speedq-fit-decoder-"))
afterAll(async () => {
  await runs.dispose()
  rmSync(root, { recursive: true, force: true })
})
const recipe = (...stages: readonly object[]) => ({
  version: 1,
  name: "fit-decoder",
  model: join(nanoData, "model"),
  seed: 3,
  save: { everySteps: 2 },
  stages
})

const finished = async (name: string, ...stages: readonly object[]) => {
  const directory = join(root, name)
  const { exit, entries } = await runs.run(recipe(...stages), directory)
  if (Exit.isFailure(exit)) throw Cause.squash(exit.cause)
  return { directory, entries }
}

const buffersInUse = () => runs.runtime.runPromise(Effect.map(Compute, ({ backend }) => backend.usage().buffers))

const methods = [{ stage: shortStages.adaroundLanguage, perLayer: 9, method: "AdaRound" }]

describe.each(methods)("$stage.use", ({ stage, perLayer, method }) => {
  const place = `01-${stage.use}`

  it("gives packed weights, lowers the error of layers, and ends with the same bytes however often it is interrupted", async () => {
    const { directory: whole, entries } = await finished(stage.use, stage)
    const given = await runs.runtime.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const saved = yield* openSaved(join(whole, "stages", place, "quantizedLanguage.safetensors"))
          const { parameters, choices, packed } = yield* QuantizedLanguage.codec.load(saved)
          return { parameters: Object.keys(parameters), choices: [...choices.keys()], packed: [...packed!.keys()] }
        })
      )
    )
    assert.isEmpty(given.parameters)
    assert.sameMembers(given.choices, ["language_model.model.embed_tokens", "language_model.lm_head"])
    assert.include(given.packed, "language_model.model.layers.4.mlp.down_proj")
    const blocks = eventsOfKind(RunEvents.LayerQuantized, entries).filter((fact) => fact.errorBefore !== undefined)
    assert.isAbove(blocks.length, 1)
    const sum = (numbers: readonly number[]) => numbers.reduce((a, b) => a + b, 0)
    assert.isBelow(sum(blocks.map((fact) => fact.errorAfter!)), sum(blocks.map((fact) => fact.errorBefore!)))
    const report = readFileSync(join(whole, "stages", place, "report.json"), "utf8")
    assert.include(report, "Reconstruction error of each decoder layer")
    assert.include(report, method)
    assert.match(report, /\d+ samples of .*datasets\.json/)

    const directory = join(root, `${stage.use}-killed`)
    // Within the first layer, at the end of one, within another; once with activations in files.
    const cuts = [
      { step: 3, more: { cache: "0 B" } },
      { step: perLayer, more: {} },
      { step: perLayer + 4, more: { cache: "0 B" } }
    ]
    for (const { step, more } of cuts) {
      const { exit } = await runs.run(recipe({ ...stage, ...more }), directory, { stage: place, step })
      assert.isTrue(Exit.isFailure(exit) && Cause.hasInterruptsOnly(exit.cause), `step ${step}`)
    }
    assert.isTrue(Exit.isSuccess((await runs.run(recipe(stage), directory)).exit))
    assert.deepStrictEqual(resultsOf(directory), resultsOf(whole))
    assert.strictEqual(await buffersInUse(), 0)
  }, 60_000)
})

describe("a stage that fits the decoder", () => {
  const { adaroundLanguage } = shortStages
  const text = {
    ...adaroundLanguage,
    calibration: join(nanoData, "calibration.jsonl"),
    documents: 24,
    block: 64,
    iterations: 1
  }

  it("fits on text as well", async () => {
    const { directory } = await finished("text", text)
    assert.notInclude(readFileSync(join(directory, "stages/01-adaround-language/report.json"), "utf8"), "samples of")
    assert.strictEqual(await buffersInUse(), 0)
  }, 60_000)

  it("refuses quantizers without a grid before any work", async () => {
    const quantizers = [{ match: "**", use: "n2f3" }]
    const { exit } = await runs.run(recipe({ ...text, quantizers }), join(root, "no-grid"))
    const message = Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : ""
    assert.match(message, /AdaRound needs a quantizer with a grid, bilevel or uniform: .*\(n2f3\)/)
  })
})
