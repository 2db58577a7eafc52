/** `--plugin FILE`: the examples' quantizer, stage, export format and benchmark, named by a recipe in JSON, in every command. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { RunStatus } from "@speedq/pipeline"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import type { RecipePlan } from "../src/recipes/planRecipe.ts"
import { shippedNano } from "../src/shipped/shipped.ts"
import { fails, json, speedq, works } from "./support/inProcess.ts"
import { randomNano, writeRecipe } from "./support/smallRun.ts"
import { temporaryDirectory } from "./support/speedq.ts"

const shared = { directory: "", model: "", recipe: "", run: "", data: "" }
const native = ["--backend", "native:none"]
const example = (name: string) => ["--plugin", join("examples", `${name}.ts`)]
const plugins = ["customQuantizer", "customStage", "customExporter", "customBenchmark"].flatMap(example)

beforeAll(async () => {
  const directory = mkdtempSync(join(tmpdir(), "speedq-cli-"))
  const model = await randomNano(directory)
  const data = join(directory, "counting.tsv")
  const rows = [
    ["index", "question", "answer", "image_path"],
    ["a", "How many rings?", "4", join(shippedNano, "images", "0001.png")],
    ["b", "How many stars?", "two", join(shippedNano, "images", "0002.png")]
  ]
  writeFileSync(data, rows.map((cells) => `${cells.join("\t")}\n`).join(""))
  const recipe = writeRecipe(model, [
    {
      use: "qat",
      data: { meta: join(shippedNano, "datasets.json"), percent: 1 },
      accumulation: 1,
      maxSteps: 2,
      quantizers: [
        { match: "**.mlp.*", use: "ternary", with: { group: 16 } },
        { match: "**", use: "bilevel", with: { bits: 4, group: 16, scaleGroup: 4 } }
      ]
    },
    { use: "round-projector", dtype: "f16" },
    { use: "evaluate", title: "ternary", benchmarks: [{ name: "counting", data }] },
    { use: "export", format: "npy" }
  ])
  Object.assign(shared, { directory, model, data, recipe, run: join(directory, "run") })
  await works(["run", recipe, "--out", shared.run, ...native, ...plugins])
})
afterAll(() => rmSync(shared.directory, { recursive: true, force: true }))

/** The message of a command that fails. */
const refused = async (args: readonly string[], exit?: number): Promise<string> => (await fails(args, exit)).message

describe("--plugin", () => {
  it("run: what the plugins bring makes the model, and is in its files and its record", async () => {
    const manifest = JSON.parse(readFileSync(join(shared.run, "model", "npy", "manifest.json"), "utf8"))
    assert.deepInclude(manifest["language_model.model.layers.0.mlp.up_proj.weight.codes"], { quantizer: "ternary" })
    assert.include(readFileSync(join(shared.run, "report.html"), "utf8"), "6 tensors were rounded to f16.")
    assert.isTrue(existsSync(join(shared.run, "stages", "03-evaluate", "counting_counting_result.json")))
    const { surroundings } = JSON.parse(readFileSync(join(shared.run, "run.json"), "utf8"))
    assert.strictEqual(surroundings["plugin customQuantizer.ts"], 'quantizer "ternary" (version 1)')
    assert.strictEqual(surroundings["plugin customStage.ts"], 'stage "round-projector" (version 1)')
  })

  it("run: continues with them; without them says which are wanted", async () => {
    const args = ["run", shared.recipe, "--out", shared.run, ...native]
    const again = await works([...args, ...plugins])
    assert.match(again.stderr, /02-round-projector: finished before, reused/)
    const bare = await refused(args)
    assert.match(bare, /run was made with customQuantizer\.ts \(quantizer "ternary" \(version 1\)\), customStage\.ts/)
    assert.match(bare, /--plugin customQuantizer\.ts --plugin customStage\.ts/)
    assert.match(bare, /there is no stage "round-projector"/)
    assert.strictEqual(await refused(["run", shared.run, ...native]), bare)
    await works(["run", shared.run, ...native, ...plugins])
    const others = await refused([...args, ...example("customStage")])
    assert.match(
      others,
      /run was made with customQuantizer\.ts .*there is no quantizer "ternary"; known quantizers: bilevel/s
    )
    assert.match(others, /unknown benchmark "counting"/)
    assert.match(others, /there is no export format "npy"/)
  })

  it("plan: shows their layers, and without them fails as run does", async () => {
    const args = ["plan", shared.recipe, "--out", shared.run, "--no-time"]
    const planned = (await json([...args, ...plugins])) as RecipePlan
    const layer = planned.layers!.layers.find(({ layer }) => layer.endsWith("layers.0.mlp.up_proj"))
    assert.deepInclude(layer, { quantizer: "ternary", bitsPerWeight: 6 })
    assert.isTrue(planned.fits)
    assert.deepStrictEqual(
      planned.forecast.stages.map(({ place, finished }) => [place, finished]),
      ["01-qat", "02-round-projector", "03-evaluate", "04-export"].map((place) => [place, true])
    )
    assert.match(await refused(args), /was made with .*--plugin customStage\.ts/s)
  })

  it("run: a module may be the recipe and the plugin at once", async () => {
    const directory = temporaryDirectory()
    const module = join(directory, "recipe.mjs")
    const imported = (name: string) => JSON.stringify(join(process.cwd(), "examples", `${name}.ts`))
    const speedq = JSON.stringify(import.meta.resolve("../src/index.ts"))
    writeFileSync(
      module,
      `import { Evaluate, Recipe } from ${speedq}
       export { plugin } from ${imported("customBenchmark")}
       export const recipe = Recipe.make({ name: "mine", model: ${JSON.stringify(shared.model)} }).pipe(
         Recipe.andThen(Evaluate.stage({ title: "t", benchmarks: [{ name: "counting", data: ${JSON.stringify(shared.data)} }] }))
       )`
    )
    const args = ["run", module, "--out", join(directory, "run"), ...native]
    assert.match(await refused(args), /unknown benchmark "counting".*--plugin FILE/)
    await works([...args, "--plugin", module])
  })

  it("--set reaches the options of a stage of a plugin", async () => {
    const args = ["plan", shared.recipe, "--out", join(shared.directory, "other"), ...plugins]
    assert.match(await refused([...args, "--set", "round-projector.dtype=f64"], 2), /02-round-projector\.dtype/)
    assert.match(
      await refused([...args, "--set", "round-projector.dtyp=f16"], 2),
      /did you mean round-projector\.dtype/
    )
  })

  it("status: says what a run was made with, with or without them", async () => {
    const { stdout } = await works(["status", shared.run])
    assert.include(stdout, 'made with --plugin customQuantizer.ts: quantizer "ternary" (version 1)\n')
    const status = (await json(["status", shared.run, ...plugins])) as RunStatus
    assert.strictEqual(status.state, "finished")
  })

  it("export and chat: a packed model is read with its plugin, and names it without", async () => {
    const packed = join(shared.directory, "packed")
    const args = ["export", shared.run, "--format", "packed", "--out", packed, ...native]
    assert.match(await refused(args), /was made with .*its stage "round-projector"/s)
    assert.match(
      await refused([...args, ...example("customStage")]),
      /quantizedLanguage\.safetensors: made with quantizer "ternary" \(version 1\) of the plugin customQuantizer\.ts, which is not loaded/
    )
    await works([...args, ...plugins])

    const chat = ["chat", packed, "hello", "--max-new-tokens", "3", ...native]
    const missing = await refused(chat)
    assert.deepInclude(await fails(chat), { _tag: "QuantizerMissing", use: "ternary", plugin: "customQuantizer.ts" })
    assert.match(
      missing,
      /packed\/model\.safetensors: made with quantizer "ternary" \(version 1\) of the plugin customQ/
    )
    assert.match(missing, /add --plugin customQuantizer\.ts/)
    assert.notMatch(missing, /damaged/)
    await works([...chat, ...example("customQuantizer")])

    const npy = ["export", packed, "--format", "npy", "--out", join(shared.directory, "npy"), ...native]
    assert.match(await refused(npy), /there is no export format "npy"/)
    assert.match(await refused([...npy, ...example("customExporter")]), /made with quantizer "ternary"/)
    await works([...npy, ...example("customExporter"), ...example("customQuantizer")])
    // The same bytes as those of the run, which went another way.
    const codes = "language_model.model.layers.1.mlp.down_proj.weight.codes.npy"
    const read = (directory: string) => readFileSync(join(directory, codes))
    assert.isTrue(read(join(shared.directory, "npy")).equals(read(join(shared.run, "model", "npy"))))
  })

  it("chat: another version of the quantizer is refused, as its numbers would mean something else", async () => {
    const directory = temporaryDirectory()
    const packed = join(directory, "packed")
    await works(["export", shared.run, "--format", "packed", "--out", packed, ...native, ...plugins])
    const newer = join(directory, "newer.mjs")
    writeFileSync(
      newer,
      `import { ternary } from ${JSON.stringify(join(process.cwd(), "examples", "customQuantizer.ts"))}
       export default { quantizers: [{ ...ternary, version: 2 }] }`
    )
    assert.match(
      await refused(["chat", packed, "hello", ...native, "--plugin", newer]),
      /made by version 1 of quantizer "ternary" of the plugin customQuantizer\.ts, but this is version 2.*quantize the model again/
    )
  })

  it("evaluate and score: ask and mark a benchmark of one's own", async () => {
    const out = join(shared.directory, "evaluations")
    const asked = ["--data", shared.data, "--benchmark", "Counting"]
    const evaluate = ["evaluate", shared.model, ...asked, "--out", out, "--name", "m", "--format", "tsv", ...native]
    assert.match(await refused(evaluate, 2), /--benchmark Counting: one of HallusionBench, .*or a plugin's benchmark/)
    const evaluated = await json([...evaluate, ...example("customBenchmark")])
    assert.deepInclude(evaluated, { benchmark: "counting", published: null })
    assert.includeMembers(readdirSync(out), ["m_counting.tsv", "m_counting_acc.csv", "m_counting_result.json"])

    const predictions = join(shared.directory, "theirs.tsv")
    writeFileSync(predictions, "index\tprediction\na\tI see three of them\nb\t2\n")
    const score = ["score", predictions, ...asked]
    await refused(score, 2)
    // Off by one of four, and right.
    assert.deepInclude(await json([...score, ...example("customBenchmark")]), { overall: 87.5 })
  })

  it("run and plan: what a plugin throws names plugin, method, stage and step", async () => {
    const directory = temporaryDirectory()
    const broken = (field: string, body: string) => {
      const file = join(directory, `${field}.mjs`)
      const original = JSON.stringify(join(process.cwd(), "examples", "customQuantizer.ts"))
      writeFileSync(
        file,
        `import { ternary } from ${original}
         export const plugin = { quantizers: [{ ...ternary, ${field}: () => ${body} }] }`
      )
      return ["--plugin", file, ...plugins.slice(2)]
    }
    const out = ["--out", join(directory, "run")]
    const boom = broken("fakeQuantize", '{ throw new Error("boom") }')
    assert.match(
      await refused(["run", shared.recipe, ...out, ...native, ...boom]),
      /^stage 01-qat stopped at step \d of \d: quantizer "ternary" of the plugin .*fakeQuantize\.mjs: fakeQuantize threw "boom" at /
    )
    const { code, stdout } = await speedq([
      "plan",
      shared.recipe,
      "--no-time",
      ...out,
      ...broken("bitsPerWeight", "NaN")
    ])
    assert.strictEqual(code, 1)
    assert.match(stdout, /quantizer "ternary" of the plugin .*: bitsPerWeight gave NaN, which is no count; correct/)
    assert.notInclude(stdout, "NaN MB")
  })

  it("says what is wrong with a plugin, before anything is done", async () => {
    const directory = temporaryDirectory()
    const write = (name: string, text: string) => {
      writeFileSync(join(directory, name), text)
      return ["status", shared.run, "--plugin", join(directory, name)]
    }
    const wrong: readonly (readonly [readonly string[], RegExp])[] = [
      [["status", shared.run, "--plugin", "missing.ts"], /missing\.ts: there is no such file; paths are relative to/],
      [
        write("other.mjs", "export const quantizers = []"),
        /it exports quantizers; write export const plugin = definePlu/
      ],
      [write("empty.mjs", "export {}"), /empty\.mjs: no plugin: it exports nothing/],
      [
        write("wrong.mjs", 'export const plugin = { quantizers: [{ id: "mine", version: 1 }] }'),
        /wrong\.mjs: quantizer "mine": "Config" must be a schema; "bitsPerWeight" must be a function/
      ],
      [
        [...write("twice.mjs", 'export { plugin } from "./again.mjs"'), ...example("customQuantizer")],
        /there is "ternary" of the plugin twice\.mjs already; give yours another id/
      ]
    ]
    const original = join(process.cwd(), "examples", "customQuantizer.ts")
    write(
      "again.mjs",
      `import { ternary } from ${JSON.stringify(original)}\nexport const plugin = { quantizers: [ternary] }`
    )
    for (const [args, message] of wrong) assert.match(await refused(args), message)
  })
})
