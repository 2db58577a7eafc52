/** Hand-overs of the reference's flow: a quantized tower from a file, a teacher, parts and checkpoints from elsewhere. */
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bytesOf, layerOf, Safetensors, typedView } from "@speedq/formats"
import { openSaved, RunEvents } from "@speedq/pipeline"
import { embeddingSym4 } from "@speedq/quantizers"
import { type Parameters, tensor, toBfloat16 } from "@speedq/tensors"
import { towerOf } from "@speedq/vlm-model"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { QuantizedVision } from "../src/artefacts/artefacts.ts"
import { Compute } from "../src/compute/Compute.ts"
import { openSourceModel } from "../src/model/SourceModel.ts"
import { evaluation, eventsOfKind, makeNanoRuns, nearest, shortStages, writeNanoModel } from "./support/nano.ts"
import { type StateEntry, writeTorchFile } from "./support/writeTorchFile.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-hand-over-"))
const runs = makeNanoRuns()
const { adaround, projector, qat } = shortStages
const quick = { ...adaround, iterations: 3 }
// Without warm-up the first step changes something.
const short = { ...qat, maxSteps: 2, warmupRatio: 0 }
const shortProjector = { ...projector, maxSteps: 2, warmupRatio: 0 }
const rules = adaround.quantizers
let model: string
let other: string
/** A run of stage 1, whose result is handed over. */
let made: string
beforeAll(async () => {
  model = await writeNanoModel(join(root, "model"))
  other = await writeNanoModel(join(root, "other"), 2)
  made = (await succeed({}, quick)).directory
  await writeTower(join(root, "tower.safetensors"), await towerNumbers())
})
afterAll(async () => {
  await runs.dispose()
  rmSync(root, { recursive: true, force: true })
})

const recipe = (settings: object, stages: ReadonlyArray<object>) => ({
  version: 1,
  name: "hand-over",
  model,
  seed: 3,
  ...settings,
  stages
})
let directories = 0
const attempt = async (settings: object, ...stages: ReadonlyArray<object>) => {
  const directory = join(root, `run-${directories++}`)
  return { directory, recording: await runs.run(recipe(settings, stages), directory) }
}
/** Runs stages in a new directory; the run must succeed. */
const succeed = async (settings: object, ...stages: ReadonlyArray<object>) => {
  const { directory, recording } = await attempt(settings, ...stages)
  if (Exit.isFailure(recording.exit)) throw Cause.squash(recording.exit.cause)
  return { directory, recording }
}
const refusal = async (settings: object, ...stages: ReadonlyArray<object>): Promise<string> => {
  const { recording } = await attempt(settings, ...stages)
  return Exit.isFailure(recording.exit) ? String(Cause.squash(recording.exit.cause)) : assert.fail("it ran")
}

type Numbers = { readonly [name: string]: StateEntry }

/** What a stage saved, byte for byte. */
const saved = (directory: string, place: string, artefact: string): string =>
  readFileSync(join(directory, "stages", place, `${artefact}.safetensors`)).toString("base64")

const read = async (parameters: Parameters): Promise<Numbers> => {
  const entries: [string, StateEntry][] = []
  for (const [name, tensor] of Object.entries(parameters)) {
    entries.push([name, { shape: tensor.shape, values: Float32Array.from(await tensor.read()) }])
  }
  return Object.fromEntries(entries)
}

const scoped = <A, E>(effect: Effect.Effect<A, E, Effect.Services<ReturnType<typeof openSourceModel>>>) =>
  runs.runtime.runPromise(Effect.scoped(effect as Effect.Effect<A, E, never>))

/** Parameters of the vision tower of stage 1's result, dequantized, without their prefix: as the reference hands it over. */
const towerNumbers = (): Promise<Numbers> =>
  runs.runtime.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const stored = yield* openSaved(join(made, "stages/01-adaround-vit/quantizedVision.safetensors"))
        const { packed } = yield* QuantizedVision.codec.load(stored)
        const { weights } = yield* openSourceModel(model)
        return yield* Effect.promise(async () => {
          const numbers: { [name: string]: StateEntry } = {}
          for (const [name, weight] of Object.entries(weights)) {
            if (towerOf(name) !== "vision") continue
            const tensor = packed.get(layerOf(name))?.unpack() ?? weight.alias()
            const bare = name.replace("vision_model.", "")
            numbers[bare] = { shape: tensor.shape, values: Float32Array.from(await tensor.read()) }
            tensor.release()
          }
          return numbers
        })
      })
    )
  )

const writeTower = (file: string, numbers: Numbers, dtype: "F32" | "BF16" = "F32"): Promise<unknown> => {
  const sources = Object.entries(numbers).map(([name, { shape, values }]) => ({
    name,
    dtype,
    shape,
    data: Effect.succeed(bytesOf(dtype === "F32" ? values : Uint16Array.from(values, toBfloat16)))
  }))
  return Effect.runPromise(Safetensors.write(file, sources))
}

/** What `import-vit` held each Linear as. */
const heldAs = (directory: string): readonly unknown[] => {
  const report = JSON.parse(readFileSync(join(directory, "stages/01-import-vit/report.json"), "utf8"))
  const rows: readonly (readonly unknown[])[] = report[0].rows
  return rows.map((row) => row[1])
}

describe("import-vit", () => {
  it("packs dequantized numbers that lie on the grid of their quantizer: stages 2 and 3 give the bits of stage 1's own tower", async () => {
    const own = await succeed({}, quick, shortProjector, short)
    writeTorchFile(join(root, "tower.pth"), await towerNumbers())
    for (const file of ["tower.safetensors", "tower.pth"]) {
      const given = { use: "import-vit", weights: join(root, file), quantizers: rules }
      const { directory } = await succeed({}, given, shortProjector, short)
      assert.deepStrictEqual([...new Set(heldAs(directory))], ["codes (bilevel)"], file)
      for (const [place, artefact] of [
        ["02-train-projector", "projector"],
        ["03-qat", "quantizedLanguage"]
      ] as const) {
        assert.strictEqual(
          saved(directory, place, artefact),
          saved(own.directory, place, artefact),
          `${file}: ${artefact}`
        )
      }
    }
  })

  it("takes what this program packed as it is: a run's artefact, and a packed model", async () => {
    const artefact = join(made, "stages/01-adaround-vit/quantizedVision.safetensors")
    const packed = await succeed({}, quick, short, { use: "export", format: "packed" })
    const first = await succeed({}, { use: "import-vit", weights: artefact })
    assert.strictEqual(
      saved(first.directory, "01-import-vit", "quantizedVision"),
      readFileSync(artefact).toString("base64")
    )
    const second = await succeed({}, { use: "import-vit", weights: join(packed.directory, "model/packed") })
    assert.deepStrictEqual([...new Set(heldAs(second.directory))], ["codes (bilevel)"])
  })

  it("keeps numbers that lie on no grid, through training, evaluation and exports, and says so", async () => {
    const tower = await towerNumbers()
    const off = Object.fromEntries(
      Object.entries(tower).map(([name, entry]) => [
        name,
        { ...entry, values: entry.values.map((value) => value * 1.01) }
      ])
    )
    const file = join(root, "off.safetensors")
    await writeTower(file, off)
    const given = { use: "import-vit", weights: file, quantizers: rules }
    const { directory, recording } = await succeed(
      {},
      given,
      shortProjector,
      short,
      { use: "export", format: "packed" },
      evaluation("as numbers", { nearest })
    )
    assert.deepStrictEqual([...new Set(heldAs(directory))], ["f32"])
    const [warning] = eventsOfKind(RunEvents.Warning, recording.entries)
    assert.match(
      warning!.message,
      /12 weights do not lie on the grids that the rules name, by 0\.\d+ at most \(vision_model\./
    )
    const description = JSON.parse(readFileSync(join(directory, "model/packed/quantization.json"), "utf8"))
    assert.lengthOf(description.layersFallenBack, 12)
    assert.isTrue(description.exact)
    // No bit of the given numbers is lost on the way into the exported model.
    const exported = Safetensors.openSync(join(directory, "model/packed/model.safetensors"))
    for (const [name, { values }] of Object.entries(off)) {
      assert.deepStrictEqual(Float32Array.from(typedView("F32", exported.read(`vision_model.${name}`))), values, name)
    }
    exported.close()
    const refused = await refusal({}, { ...given, offGrid: "fail" })
    assert.match(refused, /off\.safetensors.*12 weights do not lie on the grids/)
  })

  it("keeps 16-bit numbers in 16 bits, and refuses a file that lacks a Linear", async () => {
    const tower = await towerNumbers()
    await writeTower(join(root, "half.safetensors"), tower, "BF16")
    const { directory } = await succeed({}, { use: "import-vit", weights: join(root, "half.safetensors") })
    assert.deepStrictEqual([...new Set(heldAs(directory))], ["bf16"])
    const { "encoder.layers.1.mlp.fc2.weight": _, ...lacking } = tower
    await writeTower(join(root, "lacking.safetensors"), lacking)
    const refused = await refusal({}, { use: "import-vit", weights: join(root, "lacking.safetensors") })
    assert.match(
      refused,
      /lacks the weights of 1 Linears of the vision tower: vision_model\.encoder\.layers\.1\.mlp\.fc2/
    )
    assert.match(
      await refusal({}, { use: "import-vit", weights: join(root, "nowhere.pth") }),
      /nowhere\.pth.*(does not exist|no such file)/i
    )
  })
})

describe("a teacher", () => {
  const betaOf = ({ directory }: { readonly directory: string }): string =>
    /beta = ([\d.]+)/.exec(readFileSync(join(directory, "stages/01-qat/report.json"), "utf8"))![1]!

  it("from another directory gives the targets and the confidence, and is a part of the key", async () => {
    const own = await succeed({}, short)
    const itself = await succeed({ teacher: model }, short)
    const taught = await succeed({ teacher: other }, short)
    const theirs = await succeed({ model: other }, short)
    const language = (run: { readonly directory: string }) => saved(run.directory, "01-qat", "quantizedLanguage")
    assert.strictEqual(language(itself), language(own))
    assert.notStrictEqual(language(taught), language(own))
    assert.strictEqual(betaOf(taught), betaOf(theirs))
    assert.notStrictEqual(betaOf(taught), betaOf(own))
    const keys = [own, itself, taught].map(({ directory }) => keyOf(directory, "01-qat"))
    assert.strictEqual(new Set(keys).size, 3)
  })

  it("is what an evaluation measures the divergence from", async () => {
    const scores = async (settings: object): Promise<number> => {
      const { directory } = await succeed(settings, evaluation("alone"))
      const stored = JSON.parse(
        Safetensors.openSync(join(directory, "stages/01-evaluate/evaluations.safetensors")).metadata["data"]!
      )
      return stored[0].scores[0].divergence
    }
    assert.strictEqual(await scores({}), 0)
    assert.strictEqual(await scores({ teacher: model }), 0)
    assert.isAbove(await scores({ teacher: other }), 0.01)
  })

  it("with another tokenizer or other tiles is refused, and one that is missing is an obstacle", async () => {
    const strange = join(root, "strange")
    cpSync(model, strange, { recursive: true })
    const file = join(strange, "preprocessor_config.json")
    writeFileSync(file, readFileSync(file, "utf8").replace(/("image_mean":\s*\[\s*)[\d.]+/, "$10.25"))
    assert.match(await refusal({ teacher: strange }, short), /strange.*cannot teach .*statistics of pixels/)
    assert.match(await refusal({ teacher: join(root, "absent") }, short), /absent/)
  })
})

const keyOf = (directory: string, place: string): string =>
  JSON.parse(readFileSync(join(directory, "stages", place, "manifest.json"), "utf8")).manifest.key

describe("parts from elsewhere", () => {
  it("are the model's own parts: as if its checkpoint held them", async () => {
    const numbers = await scoped(
      Effect.gen(function* () {
        const { weights } = yield* openSourceModel(other)
        return yield* Effect.promise(() => read(weights))
      })
    )
    const of = (tower: string, prefix: string): Numbers =>
      Object.fromEntries(
        Object.entries(numbers)
          .filter(([name]) => towerOf(name) === tower)
          .map(([name, entry]) => [name.replace(prefix, ""), entry])
      )
    writeTorchFile(join(root, "mlp1.pth"), of("projector", "mlp1."))
    await writeTower(join(root, "vit.safetensors"), of("vision", "vision_model."))
    const parts = { projector: join(root, "mlp1.pth"), vision: join(root, "vit.safetensors") }
    const composed = await scoped(
      Effect.gen(function* () {
        const { weights } = yield* openSourceModel(model, { parts })
        return yield* Effect.promise(() => read(weights))
      })
    )
    const plain = await scoped(
      Effect.gen(function* () {
        const { weights } = yield* openSourceModel(model)
        return yield* Effect.promise(() => read(weights))
      })
    )
    for (const [name, { values }] of Object.entries(composed)) {
      const from = towerOf(name) === "language" ? plain : numbers
      assert.deepStrictEqual(values, from[name]!.values, name)
    }
    assert.strictEqual(Object.keys(composed).length, Object.keys(plain).length)

    // All three parts from the other model's directory: its language model, tower and projector in a run of this one.
    const whole = await succeed({ parts: { vision: other, projector: other, language: other } }, short)
    const theirs = await succeed({ model: other }, short)
    assert.strictEqual(
      saved(whole.directory, "01-qat", "quantizedLanguage"),
      saved(theirs.directory, "01-qat", "quantizedLanguage")
    )
    const one = await succeed({ parts: { projector: parts.projector } }, short)
    assert.notStrictEqual(keyOf(one.directory, "01-qat"), keyOf(whole.directory, "01-qat"))
  })

  it("that are missing are an obstacle, and what lacks parameters is refused with their names", async () => {
    const missing = await refusal({ parts: { language: join(root, "none.bin") } }, short)
    assert.match(missing, /none\.bin, the weights of parts\.language, does not exist/)
    writeTorchFile(join(root, "half.pth"), { "0.bias": { shape: [256], values: new Float32Array(256) } })
    assert.match(
      await refusal({ parts: { projector: join(root, "half.pth") } }, short),
      /half\.pth.*lacks 5 parameters of the projector part: mlp1\.0\.weight, /
    )
  })
})

describe("a checkpoint of PyTorch pickles", () => {
  it("is a model to start from: stage 3 gives the bits that it gives from safetensors", async () => {
    const pickled = join(root, "pickled")
    mkdirSync(pickled)
    for (const name of readdirSync(model)) {
      if (!name.endsWith(".safetensors")) copyFileSync(join(model, name), join(pickled, name))
    }
    const numbers = await scoped(
      Effect.gen(function* () {
        const { weights } = yield* openSourceModel(model)
        return yield* Effect.promise(() => read(weights))
      })
    )
    // As the reference's stage 2 saves it: with buffers of quantizers among the weights.
    writeTorchFile(join(pickled, "pytorch_model.bin"), {
      ...numbers,
      "language_model.model.layers.0.mlp.up_proj.weight_quantizer.scale": { shape: [1], values: new Float32Array(1) }
    })
    const [fromPickles, own] = [await succeed({ model: pickled }, short), await succeed({}, short)]
    for (const artefact of ["projector", "quantizedLanguage"]) {
      assert.strictEqual(saved(fromPickles.directory, "01-qat", artefact), saved(own.directory, "01-qat", artefact))
    }
  })
})

describe("an embedding that is quantized already", () => {
  it("keeps its numbers on the grid absmax7, within the rounding of half precision", async () => {
    const numbers = await towerNumbers()
    const { backend } = await runs.runtime.runPromise(Compute)
    const values = numbers["encoder.layers.0.mlp.fc1.weight"]!.values
    const source = tensor(backend, values, [values.length / 64, 64])
    const [once, again] = [embeddingSym4(), embeddingSym4({ grid: "absmax7" })]
    const first = once.quantizer.fakeQuantize(once.config, source)
    const second = again.quantizer.fakeQuantize(again.config, first)
    const [before, after] = [await first.read(), await second.read()]
    const shrunk = once.quantizer.fakeQuantize(once.config, first)
    const third = await shrunk.read()
    const largest = (others: ArrayLike<number>) =>
      Math.max(...Array.from(before, (value, i) => (value === 0 ? 0 : Math.abs(others[i]! / value - 1))))
    assert.isBelow(largest(after), 2 ** -10)
    assert.isAbove(largest(third), 0.06)
    for (const each of [source, first, second, shrunk]) each.release()
  })
})
