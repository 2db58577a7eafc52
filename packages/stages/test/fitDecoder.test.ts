/** Stages that fit the decoder layer by layer: what they give, and that an interruption changes none of it. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { Events, openSaved, RunEvents } from "@speedq/pipeline"
import type { Weights } from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { afterAll, assert, describe, it } from "vitest"
import { resultsOf } from "../../pipeline/test/support/results.ts"
import { QuantizedLanguage } from "../src/artefacts/artefacts.ts"
import { openDecoderTower } from "../src/blocks/decoderTower.ts"
import { Compute } from "../src/compute/Compute.ts"
import { openRecipeModel } from "../src/model/SourceModel.ts"
import { pictureRecord, writeMiniData } from "./support/miniData.ts"
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

const { buffersInUse } = runs

const { adaroundLanguage, blockwise } = shortStages
const bilevel = adaroundLanguage.quantizers

/** `perLayer` steps are a layer's iterations and the one that makes its weights permanent. */
const methods = [
  { name: "adaround-language", stage: adaroundLanguage, perLayer: 9, method: "AdaRound" },
  { name: "blockwise with learned grids", stage: blockwise, perLayer: 9, method: "Block-AP" },
  {
    name: "blockwise with scales that follow the weights",
    stage: { ...blockwise, quantizers: bilevel },
    perLayer: 9,
    method: "Block-AP"
  },
  {
    name: "blockwise with learned grids that share their second level",
    stage: { ...blockwise, quantizers: bilevel, grids: "learned" },
    perLayer: 9,
    method: "Block-AP"
  }
]

describe.each(methods)("$name", ({ name, stage, perLayer, method }) => {
  const place = `01-${stage.use}`

  it("gives packed weights, lowers the error of layers, and ends with the same bytes however often it is interrupted", async () => {
    const { directory: whole, entries } = await finished(name, stage)
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

    const directory = join(root, `${name}-killed`)
    // Within the first layer, at the end of one, within another; once with activations in files.
    const cuts = [
      { step: 3, recipe: recipe({ ...stage, cache: "0 B" }) },
      { step: perLayer, recipe: recipe(stage) },
      { step: perLayer + 4, recipe: recipe({ ...stage, cache: "0 B" }) }
    ]
    await runs.runInPieces(recipe(stage), place, directory, cuts)
    assert.deepStrictEqual(resultsOf(directory), resultsOf(whole))
    assert.strictEqual(await buffersInUse(), 0)
  })
})

describe("a stage that fits the decoder", () => {
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
  })

  it("tells once of a record that another took the place of, however often it is continued", async () => {
    const meta = writeMiniData(root, [pictureRecord(1), pictureRecord(99_999), pictureRecord(3)])
    const stage = { ...adaroundLanguage, calibration: { meta, onError: "substitute" }, iterations: 2 }
    const directory = join(root, "substituted")
    const stopped = await runs.run(recipe(stage), directory, { stage: "01-adaround-language", step: 4 })
    const continued = await runs.run(recipe(stage), directory)
    assert.isTrue(Exit.isSuccess(continued.exit))
    const told = [stopped, continued].map(({ entries }) => eventsOfKind(RunEvents.DataSubstituted, entries).length)
    assert.deepStrictEqual(told, [1, 0])
    const report = readFileSync(join(directory, "stages/01-adaround-language/report.json"), "utf8")
    assert.include(report, "1 times a record could not be used and another took its place")
    assert.include(report, "3 samples of")
  })

  it("makes no inputs of the quantized model where layers are fitted on the full-precision one's", async () => {
    const calibration = {
      calibration: text.calibration,
      documents: 24,
      longest: 512,
      block: 64,
      compat: "careful"
    } as const
    const unused: Weights = {
      find: () => assert.fail("the quantized model was asked"),
      get: () => assert.fail("the quantized model was asked")
    }
    const shown = (inputs: "asymmetric" | "full-precision") =>
      runs.runtime.runPromise(
        Effect.scoped(
          Effect.gen(function* () {
            const { backend } = yield* Compute
            const model = yield* openRecipeModel({ model: join(nanoData, "model") })
            const stage = {
              recipe: { name: "inputs", model: join(nanoData, "model"), seed: 3, save: { everySeconds: 300 } }
            }
            const opening = { backend, model, weights: unused, calibration, inputs }
            const tower = yield* openDecoderTower({ ...opening, stage: { ...stage, seed: 3, directory: root } })
            let samples = 0
            yield* tower.visit(() => Effect.sync(() => samples++), true)
            return samples === tower.count && samples > 0
          })
        ).pipe(Effect.provide(Events.layer))
      )
    assert.isTrue(await shown("full-precision"))
    assert.match(String(await shown("asymmetric").catch(String)), /the quantized model was asked/)
    assert.strictEqual(await buffersInUse(), 0)
  })

  it("sees pictures as the stages before left tower and projector", async () => {
    const short = { ...adaroundLanguage, documents: 2, iterations: 0, inputs: "asymmetric" }
    const inputsOf = (directory: string, place: string): readonly string[] =>
      Object.keys(
        JSON.parse(readFileSync(join(directory, "stages", place, "manifest.json"), "utf8")).manifest.parts.inputs
      )
    const { directory, entries } = await finished("tower", { ...shortStages.adaround, count: 2, iterations: 0 }, short)
    assert.deepStrictEqual(inputsOf(directory, "02-adaround-language"), ["quantizedVision"])
    const plain = await finished("no tower", short)
    const errorsOf = (told: typeof entries) =>
      eventsOfKind(RunEvents.LayerQuantized, told)
        .filter(({ layer, errorAfter }) => layer === "language_model.model.layers.0" && errorAfter !== undefined)
        .map(({ errorAfter }) => errorAfter)
    assert.lengthOf(errorsOf(entries), 1)
    assert.notDeepEqual(errorsOf(entries), errorsOf(plain.entries))
  })

  const refused = async (stage: object) => {
    const { exit } = await runs.run(recipe(stage), join(root, "refused"))
    return Exit.isFailure(exit) ? String(Cause.squash(exit.cause)) : assert.fail("was not refused")
  }

  it("refuses quantizers without a grid before any work", async () => {
    const quantizers = [{ match: "**", use: "n2f3" }]
    assert.match(
      await refused({ ...text, quantizers }),
      /AdaRound needs a quantizer with a grid, bilevel or uniform: .*\(n2f3\)/
    )
    assert.match(await refused({ ...blockwise, quantizers }), /Block-AP needs a quantizer with a grid/)
  })

  it("refuses to search in every iteration, but begins on grids that were searched for once", async () => {
    const searched = (use: string, options: object) => [
      { match: "**", use, with: { bits: 2, group: 16, range: "mse", ...options } }
    ]
    const short = { ...blockwise, documents: 2, epochs: 1 }
    assert.match(
      await refused({ ...short, quantizers: searched("bilevel", { scaleGroup: 16 }) }),
      /search for their ranges/
    )
    await finished("searched", { ...short, quantizers: searched("uniform", {}) })
  })

  it("takes EfficientQAT's rate for weights of 4 bits where none is given", async () => {
    const { learningRate: _, ...short } = { ...blockwise, documents: 3, epochs: 1 }
    const quantizers = [{ match: "**", use: "uniform", with: { bits: 4, group: 16 } }]
    const bytesOf = async (name: string, stage: object) =>
      readFileSync(join((await finished(name, stage)).directory, "stages/01-blockwise/quantizedLanguage.safetensors"))
    const own = await bytesOf("own rate", { ...short, quantizers })
    assert.isTrue(own.equals(await bytesOf("given rate", { ...short, learningRate: 1e-5, quantizers })))
  })
})
