/** Training stages: what a step leaves behind, what must not change the result, what stops it, and what can be switched off. */
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { parameterOf, Safetensors, typedView } from "@speedq/formats"
import { type Entry, isEntryOf, openSaved, RunEvents, StageFailed } from "@speedq/pipeline"
import { bilevel, packWeight } from "@speedq/quantizers"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { assert, describe, it } from "vitest"
import { QuantizedVision } from "../src/artefacts/artefacts.ts"
import { Compute } from "../src/compute/Compute.ts"
import { NonFiniteGradient } from "../src/Errors.ts"
import { openSourceModel } from "../src/model/SourceModel.ts"
import { pictureRecord, writeMiniData } from "./support/miniData.ts"
import { eventsOfKind, makeNanoRuns, type Recording, shortStages, training } from "./support/nano.ts"
import { nanoFolder } from "./support/nanoFolder.ts"

const runs = makeNanoRuns()
const { root, model } = await nanoFolder("training", runs)

const recipe = (...stages: ReadonlyArray<object>) => ({ version: 1, name: "training", model, seed: 3, stages })
const { adaround, projector, autoclip, qat } = shortStages
const quick = { ...adaround, iterations: 0 }

let directories = 0
/** Runs stages in a new directory; the run must succeed. */
const succeed = async (...stages: ReadonlyArray<object>): Promise<{ directory: string; recording: Recording }> => {
  const directory = join(root, `run-${directories++}`)
  const recording = await runs.run(recipe(...stages), directory)
  if (Exit.isFailure(recording.exit)) throw Cause.squash(recording.exit.cause)
  return { directory, recording }
}

/** The metrics of every step of a stage. */
const metricsOf = ({ entries }: Recording, place: string) =>
  entries.flatMap((entry: Entry) =>
    isEntryOf(RunEvents.StepDone, entry) && entry.stage === place ? [entry.event.metrics] : []
  )

/** All numbers of an artefact of parameters, by name. */
const numbersOf = (directory: string, place: string, artefact: string) =>
  Effect.runSync(
    Effect.scoped(
      Effect.map(Safetensors.open(join(directory, "stages", place, `${artefact}.safetensors`)), ({ store }) =>
        Object.fromEntries(
          [...store.tensors.keys()].map((name) => [name, Float32Array.from(typedView("F32", store.read(name)))])
        )
      )
    )
  )

describe("a step", () => {
  it("leaves no buffer behind", async () => {
    const { backend } = await runs.runtime.runPromise(Compute)
    const buffers = new Map<string, number[]>()
    const watch = (entry: Entry) => {
      if (!isEntryOf(RunEvents.StepDone, entry)) return
      buffers.set(entry.stage!, [...(buffers.get(entry.stage!) ?? []), backend.usage().buffers])
    }
    const rematerialized = { ...qat, rematerialize: true }
    const stages = recipe(adaround, projector, qat, rematerialized)
    const { exit } = await runs.run(stages, join(root, "buffers"), undefined, watch)
    assert.isTrue(Exit.isSuccess(exit))
    const steady = (place: string, from: number, to: number) =>
      assert.strictEqual(new Set(buffers.get(place)!.slice(from, to)).size, 1, `${place}: ${buffers.get(place)}`)
    steady("01-adaround-vit", 0, 20)
    steady("01-adaround-vit", 21, 41)
    steady("02-train-projector", 0, 4)
    steady("03-qat", 0, 7)
    steady("04-qat-2", 0, 7)
    assert.strictEqual(backend.usage().buffers, 0)
  })
})

describe("what must not change the result", () => {
  it("micro-batches of one sum up to one large batch", async () => {
    // The sum over tokens, whose mean over samples does not depend on how they are grouped; cross entropy is a mean of means.
    const settings = { ...qat, groupByLength: false, maxSteps: 2, loss: { crossEntropy: 0, confidence: 0.5 } }
    const runsOf = await Promise.all([
      succeed({ ...settings, batch: 4, accumulation: 1 }),
      succeed({ ...settings, batch: 1, accumulation: 4 })
    ])
    const [large, small] = runsOf.map(({ recording }) => metricsOf(recording, "01-qat"))
    for (const [step, metrics] of large!.entries()) {
      for (const name of ["loss", "kd", "gradientNorm"]) {
        const [a, b] = [metrics[name]!, small![step]![name]!]
        assert.isBelow(Math.abs(a - b), 2e-4 * Math.abs(a), `${name} of step ${step + 1}: ${a} and ${b}`)
      }
    }
  })

  it("computing layers again in the backward pass gives the same bits", async () => {
    const [kept, again] = [await succeed(qat), await succeed({ ...qat, rematerialize: true })]
    for (const artefact of ["projector", "quantizedLanguage"]) {
      assert.deepStrictEqual(
        numbersOf(again.directory, "01-qat", artefact),
        numbersOf(kept.directory, "01-qat", artefact)
      )
    }
  })

  it("neither does the memory for features", async () => {
    const meta = writeMiniData(root, [pictureRecord(1), pictureRecord(2), pictureRecord(1, "blue")])
    const settings = { ...qat, data: { meta }, epochs: 3, maxSteps: 3, batch: 2, accumulation: 1 }
    const [all, none] = [await succeed(settings), await succeed({ ...settings, featureCache: "0 B" })]
    assert.deepStrictEqual(
      numbersOf(none.directory, "01-qat", "projector"),
      numbersOf(all.directory, "01-qat", "projector")
    )
  })
})

describe("what stops a stage", () => {
  it("is a number that is none: it names the tensor and the sample, and changes nothing", async () => {
    const directory = join(root, "nan")
    const stages = recipe(quick, { ...projector, learningRate: 1e38, maxNorm: 1e38, warmupRatio: 0 })
    const { exit } = await runs.run({ ...stages, save: { everySteps: 1 } }, directory)
    const error = Exit.isFailure(exit) ? Cause.squash(exit.cause) : undefined
    assert.instanceOf(error, StageFailed)
    assert.instanceOf(error.cause, NonFiniteGradient)
    assert.match(error.message, /train-projector stopped at step \d of 4: .*mlp1\..* is not finite/)
    assert.match(error.message, /train\.jsonl:\d+.*the step was not applied/)
    const manifest = readFileSync(join(directory, "stages/02-train-projector/manifest.json"), "utf8")
    const saved = JSON.parse(manifest).manifest.checkpoints[0]
    assert.strictEqual(saved.step, error.step)
  })
})

describe("what can be left out or replaced", () => {
  it("iterations of AdaRound: none is rounding to nearest", async () => {
    const { directory } = await succeed(quick)
    const equal = await runs.runtime.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const stored = yield* openSaved(join(directory, "stages/01-adaround-vit/quantizedVision.safetensors"))
          const vision = yield* QuantizedVision.codec.load(stored)
          const { weights } = yield* openSourceModel(model)
          const choice = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
          return yield* Effect.forEach([...vision.packed], ([layer, weight]) =>
            Effect.promise(async () => {
              const source = weights[parameterOf(layer)]!
              const nearest = choice.quantizer.quantize(choice.config, source)
              const packed = await packWeight(layer, choice, source.shape, nearest)
              const [rounded, expected] = [weight.unpack(), packed.unpack()]
              const same = Buffer.from((await rounded.read()).buffer).equals(
                Buffer.from((await expected.read()).buffer)
              )
              for (const tensor of [rounded, expected, ...Object.values(nearest)]) tensor.release()
              packed.release()
              return same
            })
          )
        })
      )
    )
    assert.strictEqual(equal.length, 12)
    assert.isTrue(equal.every((same) => same))
  })

  it("each stage before quantization-aware training, and each of its losses", async () => {
    const short = { ...qat, maxSteps: 2 }
    const finals = new Map<string, string>()
    const variants = {
      whole: [quick, projector, autoclip, short],
      "without AdaRound": [short],
      "without projector": [quick, autoclip, short],
      "without clipping": [quick, projector, short],
      "CE only": [quick, projector, autoclip, { ...short, loss: { cakld: 0 } }],
      "KD only": [quick, projector, autoclip, { ...short, loss: { crossEntropy: 0, confidence: 0.7 } }]
    }
    for (const [name, stages] of Object.entries(variants)) {
      const { directory, recording } = await succeed(...stages)
      const place = `${String(stages.length).padStart(2, "0")}-qat`
      const last = metricsOf(recording, place).at(-1)!
      assert.strictEqual("ce" in last, name !== "KD only", name)
      assert.strictEqual("kd" in last, name !== "CE only", name)
      const file = readdirSync(join(directory, "stages", place)).find((file) => file.startsWith("quantizedLanguage"))!
      finals.set(readFileSync(join(directory, "stages", place, file)).toString("base64"), name)
    }
    assert.strictEqual(finals.size, Object.keys(variants).length)
  })

  it("not both losses at once, and no rule that matches nothing", async () => {
    const neither = await runs.run(recipe({ ...qat, loss: { crossEntropy: 0, cakld: 0 } }), join(root, "neither"))
    assert.match(String(Exit.isFailure(neither.exit) && Cause.squash(neither.exit.cause)), /nothing would be learned/)
    const rules = [{ match: "**.no_such_layer", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }]
    const unused = await runs.run(recipe({ ...qat, quantizers: rules }), join(root, "unused"))
    assert.match(String(Exit.isFailure(unused.exit) && Cause.squash(unused.exit.cause)), /matches no layer/)
  })

  it("all but some blocks and layers: rules name them, and the stages end after the last of them", async () => {
    const of = (pattern: string) => adaround.quantizers.map((rule) => ({ ...rule, match: pattern }))
    const { recording } = await succeed(
      { ...adaround, iterations: 3, quantizers: of("/encoder\\.layers\\.1\\./") },
      { ...autoclip, quantizers: of("/model\\.layers\\.[01]\\.mlp\\./") },
      { ...qat, maxSteps: 1 }
    )
    assert.lengthOf(metricsOf(recording, "01-adaround-vit"), 3 + 1)
    assert.lengthOf(metricsOf(recording, "02-autoclip"), 2)
    const told = recording.entries.filter(({ stage }) => stage === "02-autoclip")
    const clipped = eventsOfKind(RunEvents.LayerQuantized, told).map(({ layer }) => layer)
    assert.lengthOf(clipped, 2 * 3)
    assert.isTrue(clipped.every((layer) => /layers\.[01]\.mlp\./.test(layer)))
  })

  it("careful defaults: the reference's quirks, all at once", async () => {
    const { recording } = await succeed(quick, { ...qat, compat: "reference", maxSteps: 2 })
    const steps = metricsOf(recording, "02-qat")
    // One batch more than asked for is measured (quirk 2).
    assert.strictEqual(steps.filter((metrics) => "confidence" in metrics).length, 4)
    const careful = await succeed(quick, { ...qat, maxSteps: 2 })
    assert.strictEqual(metricsOf(careful.recording, "02-qat").filter((metrics) => "confidence" in metrics).length, 3)
    assert.notStrictEqual(steps.at(-1)!.loss, metricsOf(careful.recording, "02-qat").at(-1)!.loss)
    assert.strictEqual(eventsOfKind(RunEvents.StageFinished, recording.entries).length, 2)
  })

  it("a record that cannot be used, counted in the report", async () => {
    const meta = writeMiniData(root, [pictureRecord(1), pictureRecord(2), pictureRecord(99_999)])
    const data = { meta, onError: "substitute" }
    const { directory, recording } = await succeed(quick, {
      ...projector,
      data,
      batch: 3,
      accumulation: 1,
      maxSteps: 1
    })
    assert.isAtLeast(eventsOfKind(RunEvents.DataSubstituted, recording.entries).length, 1)
    const report = readFileSync(join(directory, "stages/02-train-projector/report.json"), "utf8")
    assert.match(report, /3 samples of .*mini\.json: 3 to learn from/)
    assert.match(report, /Records that were replaced.*mini\.jsonl:3".*99999\.png.*mini\.jsonl:[12]"/)
    assert.match(readFileSync(join(directory, "report.html"), "utf8"), /Records that were replaced/)
    assert.strictEqual(training.batch, 3)
  })
})
