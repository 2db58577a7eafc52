/** Weights that the reference quantized: read to the bits that PyTorch computes, asked, and exported again. */
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import {
  decodeExport,
  deployModel,
  packedWeights,
  releasePacked,
  releaseParameters,
  type SourceModel,
  writeExport
} from "@speedq/exports"
import { bytesOf, layerOf, parameterOf, Safetensors, TensorNotFinite, typedView } from "@speedq/formats"
import { bilevel, embeddingSym4, type QuantizerChoice } from "@speedq/quantizers"
import { type Backend, cast, fromBfloat16, type Tensor, toBfloat16 } from "@speedq/tensors"
import { answer, greedy, modelTensors, readModelConfig } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Compute } from "../src/compute/Compute.ts"
import { ModelUnreadable } from "../src/Errors.ts"
import { openAnsweringModel } from "../src/model/answeringModel.ts"
import { openSourceModel } from "../src/model/SourceModel.ts"
import { using } from "../src/reference/detailFiles.ts"
import { openReferenceModel } from "../src/reference/openReferenceModel.ts"
import { readQuantDetails } from "../src/reference/QuantDetails.ts"
import { loadTorchCheckpoint, torchFiles } from "../src/reference/torchCheckpoint.ts"
import { TorchFileInvalid } from "../src/torch/TorchFileInvalid.ts"
import { makeNanoRuns, writeNanoModel } from "./support/nano.ts"

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))
const fixtures = here("fixtures/reference")
const tiny = readModelConfig(here("../../../test/fixtures/internvl3/checkpoint"))
const root = mkdtempSync(join(tmpdir(), "speedq-reference-"))
const { runtime, dispose } = makeNanoRuns()
let backend: Backend
beforeAll(async () => {
  backend = (await runtime.runPromise(Compute)).backend
})
afterAll(async () => {
  await dispose()
  rmSync(root, { recursive: true, force: true })
})

describe("readQuantDetails", () => {
  it("gives the bits that PyTorch dequantizes to, of both towers, embedding and head", async () => {
    const details = await readQuantDetails(backend, tiny, join(fixtures, "quant_details"))
    const expected = Safetensors.openSync(join(fixtures, "expected.safetensors"))
    assert.deepStrictEqual([...details.packed.keys()].map(parameterOf).sort(), [...expected.tensors.keys()].sort())
    for (const [layer, weight] of details.packed) {
      const unpacked = weight.unpack()
      const numbers = typedView("F32", expected.read(parameterOf(layer)))
      const actual = await unpacked.read()
      // Equal as numbers: 0 may have either sign.
      assert.isTrue(actual.length === numbers.length && actual.every((number, i) => number === numbers[i]), layer)
      unpacked.release()
    }
    assert.deepStrictEqual(details.missing, [])
    assert.strictEqual(details.packed.size + Object.keys(details.others).length, modelTensors(tiny).size)
    const linear = details.packed.get("language_model.model.layers.1.mlp.down_proj")!
    assert.deepInclude(linear.choice.config, { bits: 2, group: 16, scaleGroup: 16 })
    expected.close()
    releasePacked(details.packed)
    releaseParameters(details.others)
    assert.strictEqual(backend.usage().buffers, 0)
  })

  it("numbers the language model alone from 0, and says what the artefacts lack", async () => {
    const directory = join(root, "language")
    cpSync(join(fixtures, "quant_details"), directory, { recursive: true })
    for (const block of ["2", "3"]) rmSync(join(directory, block), { recursive: true })
    const { packed, others, missing } = await readQuantDetails(backend, tiny, directory)
    assert.strictEqual(missing.length, 8)
    assert.include(missing, "vision_model.encoder.layers.1.mlp.fc2.weight")
    releasePacked(packed)
    releaseParameters(others)
  })

  it("refuses artefacts of another model, or in the wrong place, and keeps nothing", async () => {
    const directory = join(root, "wrong")
    cpSync(join(fixtures, "quant_details"), directory, { recursive: true })
    renameSync(join(directory, "0/mlp.up_proj"), join(directory, "0/mlp.side_proj"))
    const unknown = await readQuantDetails(backend, tiny, directory).catch((error: unknown) => error)
    assert.instanceOf(unknown, TorchFileInvalid)
    assert.match(unknown.message, /no parameter "language_model\.model\.layers\.0\.mlp\.side_proj\.weight"/)
    renameSync(join(directory, "0/mlp.side_proj"), join(directory, "0/mlp.up_proj"))
    cpSync(join(directory, "0/self_attn.k_proj"), join(directory, "0/mlp.up_proj"))
    const other = await readQuantDetails(backend, tiny, directory).catch((error: unknown) => error)
    assert.match(String(other), /0\/mlp\.up_proj.*config\.json makes the matrix \[96, 64\]/)
    assert.strictEqual(backend.usage().buffers, 0)
  })
})

describe("a number that is none in an artefact", () => {
  it.each([
    ["0/mlp.up_proj", "quant_layer_scale_qq_scale"],
    ["1/mlp.up_proj", "quant_layer_scale_qq_zero"],
    ["embed_tokens/embed_tokens", "scale"],
    ["not_quantized_weights.pt", "mlp1.0.bias"]
  ])("%s: %s is refused with file, name and place, and nothing stays allocated", async (file, name) => {
    const directory = join(root, `damaged-${name}`)
    cpSync(join(fixtures, "quant_details"), directory, { recursive: true })
    const path = join(directory, file)
    const numbers = using(path, ({ tensors }) =>
      [...tensors].map(([each, { shape, read }]) => ({ name: each, shape, values: Float32Array.from(read()) }))
    )
    const damaged = numbers.find((each) => each.name === name)!
    damaged.values[damaged.values.length - 1] = Number.NaN
    const sources = numbers.map(({ values, ...each }) => ({
      ...each,
      dtype: "F32" as const,
      data: Effect.succeed(bytesOf(values))
    }))
    await Effect.runPromise(Safetensors.write(path, sources))
    const refused = await readQuantDetails(backend, tiny, directory).catch((error: unknown) => error)
    assert.instanceOf(refused, TensorNotFinite)
    const { file: found, tensor, nan, infinite, firstIndex } = refused
    assert.deepStrictEqual({ found, tensor, nan, infinite }, { found: path, tensor: name, nan: 1, infinite: 0 })
    assert.deepStrictEqual(
      firstIndex,
      damaged.shape.map((size) => size - 1)
    )
    assert.strictEqual(backend.usage().buffers, 0)
  })
})

describe("loadTorchCheckpoint", () => {
  const shapes = modelTensors(tiny)
  const linears = [...shapes.keys()].filter((name) => /^vision_model\.encoder\..*(qkv|proj|fc\d)\.weight$/.test(name))

  it("finds parameters in the shards that save_pretrained wrote, in bfloat16, and leaves the rest alone", async () => {
    const original = Safetensors.openSync(here("../../../test/fixtures/internvl3/checkpoint/model.safetensors"))
    const names = new Set(linears.slice(1))
    const loaded = loadTorchCheckpoint(backend, torchFiles(fixtures), shapes, names)!
    assert.sameMembers(Object.keys(loaded), [...names])
    for (const [name, parameter] of Object.entries(loaded)) {
      assert.strictEqual(parameter.dtype, "bf16")
      const wide = cast(parameter, "f32")
      const expected = typedView("F32", original.read(name)).map((value) => fromBfloat16(toBfloat16(value)))
      assert.deepStrictEqual(Float32Array.from(await wide.read()), Float32Array.from(expected), name)
      wide.release()
    }
    releaseParameters(loaded)
    original.close()
  })

  it("is not there, or lacks a parameter, or lists what is no neighbour", () => {
    assert.isUndefined(
      loadTorchCheckpoint(backend, torchFiles(join(fixtures, "quant_details")), shapes, new Set(linears))
    )
    const lacking = new Set([...linears, "mlp1.1.weight"])
    assert.throws(
      () => loadTorchCheckpoint(backend, torchFiles(fixtures), shapes, lacking),
      TorchFileInvalid,
      /no mlp1\.1\.weight/
    )
    const directory = join(root, "outside")
    mkdirSync(directory)
    for (const [index, says] of [
      ['{"weight_map": {"a": "../a.bin"}}', /"\.\.\/a\.bin" is not the name of a file beside it/],
      ["{}", /no weight_map/]
    ] as const) {
      writeFileSync(join(directory, "pytorch_model.bin.index.json"), index)
      assert.throws(() => torchFiles(directory), TorchFileInvalid, says)
    }
    assert.strictEqual(backend.usage().buffers, 0)
  })
})

/** Writes artefacts of a model in the reference's layout, as safetensors, with this program's own quantizers. */
const writeDetails = async (source: SourceModel, choices: ReadonlyMap<string, QuantizerChoice>, directory: string) => {
  const numbers = async (tensor: Tensor) => Array.from(await tensor.read())
  const write = async (
    file: string,
    entries: { readonly [name: string]: readonly [string, readonly number[], readonly number[]] }
  ) => {
    mkdirSync(dirname(file), { recursive: true })
    const sources = Object.entries(entries).map(([name, [dtype, shape, values]]) => ({
      name,
      dtype: dtype as "F32" | "I8",
      shape,
      data: Effect.succeed(bytesOf(dtype === "I8" ? Int8Array.from(values) : Float32Array.from(values)))
    }))
    await Effect.runPromise(Safetensors.write(file, sources))
  }
  const others: { [name: string]: readonly [string, readonly number[], readonly number[]] } = {}
  for (const [name, weight] of Object.entries(source.weights)) {
    const choice = choices.get(layerOf(name))
    if (choice === undefined) {
      if (!name.startsWith("vision_model.encoder") || weight.shape.length === 1)
        others[name] = ["F32", weight.shape, await numbers(weight)]
      continue
    }
    const stored = choice.quantizer.quantize(choice.config, weight)
    const part = (of: string) => numbers(stored[of]!)
    const { group } = choice.config as { readonly group: number }
    const codes = await part("codes")
    if (choice.quantizer.id === "embedding-sym4") {
      const scale = await part("scale")
      const file = name.includes("lm_head") ? "lm_head/lm_head" : "embed_tokens/embed_tokens"
      await write(join(directory, `${file}.safetensors`), {
        weight: ["F32", [codes.length / group, group], codes],
        scale: ["F32", [scale.length, 1], scale]
      })
    } else {
      const [scales, zeros, step, origin] = [
        await part("scaleCodes"),
        await part("zeros"),
        await part("step"),
        await part("origin")
      ]
      const [, layer, module] = /layers\.(\d+)\.(.*)\.weight$/.exec(name)!
      await write(join(directory, layer!, module!), {
        quant_weights: ["I8", [codes.length / group, group], codes],
        quant_layer_scale: ["I8", [step.length, scales.length / step.length], scales],
        quant_layer_zeros: ["I8", [zeros.length, 1], zeros],
        quant_layer_scale_qq_scale: ["F32", [step.length, 1], step],
        quant_layer_scale_qq_zero: ["F32", [origin.length, 1], origin]
      })
    }
    for (const tensor of Object.values(stored)) tensor.release()
  }
  await write(join(directory, "not_quantized_weights.safetensors"), others)
}

describe("openReferenceModel", () => {
  it("answers as the model that was quantized, and can be exported again", async () => {
    const base = await writeNanoModel(join(root, "base"))
    const result = await runtime.runPromise(
      Effect.scoped(
        Effect.gen(function* () {
          const source = yield* openSourceModel(base)
          const linear = bilevel({
            bits: 2,
            group: 16,
            scaleGroup: 16,
            secondLevel: "f32",
            commonScale: "reference",
            arithmetic: "bf16"
          })
          const choiceOf = (name: string): QuantizerChoice | undefined => {
            if (/embed_tokens|lm_head/.test(name)) return embeddingSym4()
            return name.startsWith("language_model.") && /_proj\.weight$/.test(name) ? linear : undefined
          }
          const choices = new Map(
            Object.keys(source.weights).flatMap((name) => {
              const choice = choiceOf(name)
              return choice ? [[layerOf(name), choice] as const] : []
            })
          )
          const details = join(base, "quant_details")
          yield* Effect.promise(() => writeDetails(source, choices, details))

          const ask = (model: Parameters<typeof answer>[0]) =>
            answer(model, { question: "What is this?", images: [], maxNewTokens: 12, sampler: greedy })
          const deployed = yield* Effect.promise(() => deployModel(source, {}, { rest: "f32", nearest: choices }))
          const own = yield* ask({
            backend,
            directory: source.directory,
            weights: packedWeights(deployed.packed, deployed.others)
          })
          deployed.release()
          const read = yield* openReferenceModel(details)
          const again = yield* ask(read)
          const byDirectory = yield* Effect.flatMap(openAnsweringModel(base), ask)

          const exported = join(root, "exported")
          const written = yield* writeExport(decodeExport({ format: "packed" }), {
            source,
            deployed: { ...read.deployed, rest: "f32" },
            directory: exported,
            recipe: "from the reference"
          })
          const reexported = yield* Effect.flatMap(openAnsweringModel(exported), ask)
          return { own, again, byDirectory, reexported, written, storage: read.storage }
        })
      )
    )
    assert.isAbove(result.own.length, 0)
    assert.strictEqual(result.again, result.own)
    assert.strictEqual(result.byDirectory, result.own)
    assert.strictEqual(result.reexported, result.own)
    assert.strictEqual(result.storage, "packed")
    assert.isTrue(result.written.exported.exact)
    assert.strictEqual(backend.usage().buffers, 0)
  })

  it("says what is missing where there is no base to take it from", async () => {
    const open = (path: string, options = {}) =>
      runtime.runPromise(Effect.flip(Effect.scoped(openReferenceModel(path, options))))
    const nothing = await open(root)
    assert.instanceOf(nothing, ModelUnreadable)
    assert.match(nothing.message, /no not_quantized_weights/)
    const homeless = await open(join(fixtures, "quant_details"))
    assert.match(homeless.message, /config and tokenizer are not beside the artefacts/)
    const bare = await writeNanoModel(join(root, "bare"))
    cpSync(join(root, "base/quant_details"), join(bare, "quant_details"), { recursive: true })
    rmSync(join(bare, "model.safetensors"))
    const incomplete = await open(bare)
    assert.match(incomplete.message, /12 parameters are not among the artefacts .*has no checkpoint/)
  })
})
