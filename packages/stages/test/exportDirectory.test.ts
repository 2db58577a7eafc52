/** What an export's directory has beside its tensors, for the code that was published with the model and for transformers. */
import { createHash } from "node:crypto"
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import {
  decodeExport,
  deployModel,
  type ExportChoice,
  ExportDamaged,
  type Exported,
  type Exporter,
  ExportNotWritten,
  ExportUnverifiable,
  exporters,
  type FakeQuantConfig,
  modelSize,
  packedExporter,
  verifyExport,
  writeExport,
  writeExports
} from "@speedq/exports"
import { FileFailed, layerOf, Safetensors } from "@speedq/formats"
import { Recipe } from "@speedq/pipeline"
import { bilevel, type QuantizerChoice, uniform } from "@speedq/quantizers"
import * as Effect from "effect/Effect"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { fingerprintOf } from "../src/data/fingerprint.ts"
import { openAnsweringModel } from "../src/model/answeringModel.ts"
import { openSourceModel } from "../src/model/SourceModel.ts"
import { makeNanoRuns, writeNanoModel } from "./support/nano.ts"

const root = mkdtempSync(join(tmpdir(), "speedq-export-"))
const { runtime, dispose } = makeNanoRuns()
/** Files as the hub's cache keeps them: blobs, and a directory of symbolic links. */
const cache = join(root, "models--OpenGVLab--InternVL3-nano")
const [blobs, snapshot] = [join(cache, "blobs"), join(cache, "snapshots", "4f1c2a")]

const published = {
  "generation_config.json": '{ "transformers_version": "4.37.2" }',
  "modeling_internvl_chat.py": "class InternVLChatModel: ...",
  "configuration_internvl_chat.py": "class InternVLChatConfig: ...",
  "conversation.py": "def get_conv_template(name): ..."
}

beforeAll(async () => {
  await writeNanoModel(blobs)
  for (const [name, text] of Object.entries(published)) writeFileSync(join(blobs, name), text)
  const config = JSON.parse(readFileSync(join(blobs, "config.json"), "utf8"))
  const auto_map = { AutoModel: "modeling_internvl_chat.InternVLChatModel" }
  const llm_config = { ...config.llm_config, torch_dtype: "bfloat16" }
  writeFileSync(
    join(blobs, "config.json"),
    JSON.stringify({ ...config, auto_map, llm_config, torch_dtype: "bfloat16" }, null, 2)
  )
  mkdirSync(snapshot, { recursive: true })
  for (const name of readdirSync(blobs)) symlinkSync(join("..", "..", "blobs", name), join(snapshot, name))
})
afterAll(async () => {
  await dispose()
  rmSync(root, { recursive: true, force: true })
})

const layer = "language_model.model.layers.0.mlp.up_proj"
const nearest = new Map<string, QuantizerChoice>([
  [layer, bilevel({ bits: 2, group: 16, scaleGroup: 16 })],
  // For the format that has 4 bits alone.
  ["language_model.model.layers.0.mlp.gate_proj", uniform({ bits: 4, group: 32 })]
])

const exported = async (
  format: string | Exporter<object>,
  dtype: FakeQuantConfig["dtype"],
  model = snapshot,
  name = `${format}-${dtype}`
) => {
  const directory = join(root, name)
  await runtime.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const source = yield* openSourceModel(model)
        const deployed = yield* Effect.promise(() => deployModel(source, {}, { rest: "bf16", nearest }))
        const choice =
          typeof format === "string"
            ? decodeExport({ format, with: format === "fake-quant" ? { dtype } : {} })
            : { exporter: format, config: {} }
        yield* writeExport(choice, { source, deployed, directory, recipe: "nearest" })
        deployed.release()
      })
    )
  )
  return directory
}

/** Writes the shared model, one layer of it quantized, in several formats below `place`; gives the certificates. */
const exportedTogether = (place: string, choices: readonly ExportChoice[]) =>
  runtime.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const source = yield* openSourceModel(snapshot)
        const deployed = yield* Effect.promise(() => deployModel(source, {}, { rest: "bf16", nearest }))
        const destinations = choices.map((choice) => ({ choice, directory: join(place, choice.exporter.id) }))
        const written = yield* Effect.ensuring(
          writeExports(destinations, { source, deployed, recipe: "nearest" }),
          Effect.sync(deployed.release)
        )
        return { size: modelSize(deployed), exported: written.map(({ exported }) => exported) }
      })
    )
  )

describe("several formats together", () => {
  it("are all written, and count the bytes of weights as an evaluation does", async () => {
    const place = join(root, "several")
    const choices = [{ format: "packed" }, { format: "fake-quant", with: { dtype: "f32" } }]
    const { size, exported } = await exportedTogether(
      place,
      choices.map((choice) => decodeExport(choice))
    )
    const [packed, fakeQuant] = exported as [Exported, Exported]
    assert.strictEqual(packed.bytes, size.bytes)
    assert.strictEqual(packed.bitsPerWeight, size.bitsPerParameter)
    assert.isAbove(fakeQuant.bitsPerWeight, 16)
    for (const { directory, directoryBytes } of exported) {
      const sizes = readdirSync(directory).map((name) => statSync(join(directory, name)).size)
      const description = statSync(join(directory, "quantization.json")).size
      assert.strictEqual(directoryBytes, sizes.reduce((sum, each) => sum + each, 0) - description)
    }
  })

  it("leave nothing where one of them cannot be written, not even those before it", async () => {
    const place = join(root, "none")
    const failing: ExportChoice = {
      config: {},
      exporter: {
        ...packedExporter,
        id: "full",
        write: (_, { directory }) =>
          Effect.fail(new ExportNotWritten({ directory, cause: new Error("ENOSPC: no space left") }))
      }
    }
    const error = await exportedTogether(place, [decodeExport({ format: "packed" }), failing]).then(
      () => assert.fail("it was written"),
      (failed: Error) => failed
    )
    assert.include(error.message, join(place, "full"))
    assert.deepEqual(readdirSync(place, { recursive: true }).toSorted(), ["full", "packed"])
  })
})

describe("a fake-quant export of a model in the hub's cache", () => {
  it("has config, tokenizer, generation config and remote code as they were, and no weights but its own", async () => {
    const directory = await exported("fake-quant", "bf16")
    assert.sameMembers(readdirSync(directory), [...readdirSync(blobs), "quantization.json"])
    for (const name of readdirSync(blobs).filter((file) => file !== "model.safetensors")) {
      assert.deepEqual(readFileSync(join(directory, name)), readFileSync(join(blobs, name)), name)
    }
  })

  it("takes nothing that merely lies beside the model, and follows no link out of it", async () => {
    const secret = join(root, "secret_key")
    writeFileSync(secret, "secret")
    const own = join(root, "own")
    mkdirSync(own)
    for (const name of readdirSync(blobs)) copyFileSync(join(blobs, name), join(own, name))
    writeFileSync(join(own, ".env"), "TOKEN=secret")
    writeFileSync(join(own, "wandb.json"), "{}")
    symlinkSync(secret, join(own, "NOTES.txt"))
    assert.sameMembers(readdirSync(await exported("fake-quant", "bf16", own, "own-1")), [
      ...readdirSync(blobs),
      "quantization.json"
    ])
    symlinkSync(secret, join(own, "README.md"))
    const failed = await exported("packed", "f32", own, "own-2").then(
      () => assert.fail("it was written"),
      (error: Error) => error.message
    )
    assert.match(
      failed,
      /own-2: .*own\/README\.md is a link to .*secret_key, which is neither in the model's directory nor in the hub's cache; put the file itself in its place$/
    )
  })

  it("has the checkpoint's tensors and no others, of its shapes, marked as PyTorch's", async () => {
    const source = Safetensors.openSync(join(blobs, "model.safetensors"))
    for (const dtype of ["bf16", "f32"] as const) {
      const store = Safetensors.openSync(join(await exported("fake-quant", dtype), "model.safetensors"))
      assert.strictEqual(store.metadata["format"], "pt")
      assert.sameMembers([...store.tensors.keys()], [...source.tensors.keys()])
      for (const [name, tensor] of store.tensors) {
        assert.deepEqual(tensor.shape, source.tensors.get(name)!.shape, name)
        // Matrices that were rounded to 16 bits stay in them.
        const wide = dtype === "f32" && (nearest.has(layerOf(name)) || tensor.shape.length !== 2)
        assert.strictEqual(tensor.dtype, wide ? "F32" : "BF16", name)
      }
      store.close()
    }
    source.close()
  })

  it("says float32 in config.json where the tensors are: transformers would round them to what it says there", async () => {
    const directory = await exported("fake-quant", "f32")
    const [before, after] = [blobs, directory].map((from) => readFileSync(join(from, "config.json"), "utf8"))
    const config = JSON.parse(after!)
    assert.deepEqual([config.torch_dtype, config.llm_config.torch_dtype], ["float32", "float32"])
    assert.strictEqual(after, before!.replaceAll('"bfloat16"', '"float32"'))
  })

  it("packed, keeps config.json as it was", async () => {
    const directory = await exported("packed", "f32")
    assert.deepEqual(readFileSync(join(directory, "config.json")), readFileSync(join(blobs, "config.json")))
  })
})

describe("an export's files", () => {
  const verified = (directory: string) => runtime.runPromise(Effect.flip(verifyExport(directory)))
  const digest = (file: string) => createHash("sha256").update(readFileSync(file)).digest("hex")
  const described = (directory: string) => JSON.parse(readFileSync(join(directory, "quantization.json"), "utf8"))

  it("are named in quantization.json with their digests, of every format", async () => {
    for (const { id } of exporters) {
      const directory = await exported(id, "bf16", snapshot, `described-${id}`)
      const files: { readonly [name: string]: { bytes: number; sha256: string } } = described(directory).files
      const there = readdirSync(directory, { recursive: true, encoding: "utf8" })
        .filter((name) => statSync(join(directory, name)).isFile())
        .filter((name) => name !== "quantization.json")
      assert.sameMembers(Object.keys(files), there)
      for (const [name, { bytes, sha256 }] of Object.entries(files)) {
        assert.strictEqual(sha256, digest(join(directory, name)), name)
        assert.strictEqual(bytes, statSync(join(directory, name)).size, name)
      }
      await runtime.runPromise(verifyExport(directory))
    }
  })

  it("that are not what was written are all named, with both digests, before a model is opened", async () => {
    const directory = await exported("packed", "bf16", snapshot, "damaged")
    const weights = join(directory, "model.safetensors")
    const before = digest(weights)
    const bytes = readFileSync(weights)
    bytes[bytes.length - 1]! ^= 1
    writeFileSync(weights, bytes)
    const config = digest(join(directory, "config.json"))
    rmSync(join(directory, "config.json"))
    writeFileSync(join(directory, "README.md"), "a model card that was added")
    const error = await runtime.runPromise(Effect.flip(Effect.scoped(openAnsweringModel(directory, { verify: true }))))
    assert.instanceOf(error, ExportDamaged)
    assert.deepStrictEqual(error.files, [
      { file: "model.safetensors", expected: before, found: digest(weights) },
      { file: "config.json", expected: config, found: null }
    ])
    for (const said of [directory, "model.safetensors", before, digest(weights), "config.json is not there"])
      assert.include(error.message, said)
  })

  it("without digests cannot be verified, and open all the same", async () => {
    const none = await verified(blobs)
    assert.instanceOf(none, ExportUnverifiable)
    assert.include(none.message, "it has no quantization.json, so it is no finished export")
    const directory = await exported("packed", "bf16", snapshot, "earlier")
    const { files: _, ...earlier } = described(directory)
    writeFileSync(join(directory, "quantization.json"), JSON.stringify(earlier))
    const old = await verified(directory)
    assert.instanceOf(old, ExportUnverifiable)
    assert.include(old.message, "has no digests: an earlier version wrote it; export the model again")
    await runtime.runPromise(Effect.scoped(openAnsweringModel(directory)))
    writeFileSync(join(directory, "quantization.json"), "{")
    assert.include((await verified(directory)).message, "quantization.json is damaged")
  })

  it("appear together: a format that fails half way leaves what was there before", async () => {
    const directory = await exported("packed", "bf16", snapshot, "together")
    const before = readdirSync(directory).map((name) => [name, digest(join(directory, name))])
    const failing: Exporter<object> = {
      ...packedExporter,
      write: (config, model) =>
        Effect.andThen(
          packedExporter.write(config, model),
          Effect.fail(new ExportNotWritten({ directory: model.directory, cause: "stopped", fix: "do go on" }))
        )
    }
    const failed = await exported(failing, "bf16", snapshot, "together").then(
      () => assert.fail("it was written"),
      (error: Error) => error.message
    )
    assert.strictEqual(failed, `the export could not be written into ${directory}: stopped; do go on`)
    assert.deepStrictEqual(
      readdirSync(directory).map((name) => [name, digest(join(directory, name))]),
      before
    )
  })
})

describe("why an export could not be written", () => {
  const said = (cause: unknown) => new ExportNotWritten({ directory: "out", cause }).reason
  it("comes with what to do about it, once", () => {
    const full = Object.assign(new Error("ENOSPC: no space left"), { code: "ENOSPC" })
    assert.strictEqual(said(full), "ENOSPC: no space left; free some space and run the same command again")
    const file = { file: "out/x", operation: "write", code: "EDQUOT", reason: "EDQUOT: quota" }
    assert.match(said(new FileFailed(file)), /^out\/x: cannot write: EDQUOT: quota; [^;]*$/)
    assert.strictEqual(said(new Error("a bug")), "a bug")
  })
})

describe("the fingerprint of a model in the hub's cache", () => {
  const of = (model: string) => runtime.runPromise(fingerprintOf(Recipe.make({ name: "f", model }).settings, {}))

  it("is that of the files that its links lead to", async () => {
    assert.strictEqual(await of(snapshot), await of(blobs))
    const other = join(root, "other")
    mkdirSync(other)
    for (const name of readdirSync(blobs)) copyFileSync(join(blobs, name), join(other, name))
    writeFileSync(join(other, "config.json"), `${readFileSync(join(other, "config.json"), "utf8")}\n`)
    const links = join(root, "links")
    mkdirSync(links)
    for (const name of readdirSync(other)) symlinkSync(join("..", "other", name), join(links, name))
    assert.notStrictEqual(await of(links), await of(snapshot))
  })

  it("covers what the reference wrote below it", async () => {
    const directory = join(root, "reference")
    mkdirSync(join(directory, "quant_details", "0"), { recursive: true })
    writeFileSync(join(directory, "quant_details", "not_quantized_weights.pt"), "")
    const seen = new Set([await of(directory)])
    for (const content of ["a", "b"]) {
      writeFileSync(join(directory, "quant_details", "0", "mlp.up_proj"), content)
      seen.add(await of(directory))
    }
    assert.strictEqual(seen.size, 3)
  })
})
