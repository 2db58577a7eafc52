import { copyFileSync, mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { assert, describe, it } from "vitest"
import type { RecipePlan } from "../src/recipes/planRecipe.ts"
import { shippedModels } from "../src/shipped/shipped.ts"
import { speedq } from "./support/inProcess.ts"
import { evaluateStage, randomNano, speedqStages, writeRecipe } from "./support/smallRun.ts"
import { root, speedqProcess, temporaryDirectory } from "./support/speedq.ts"

/** The plan, which ends with 1 where it says that the recipe cannot run here. */
const plan = async (args: readonly string[], flags: readonly string[] = ["--no-time"]) => {
  const { code, stdout, stderr } = await speedq(["plan", ...args, ...flags, "--json"])
  const planned = JSON.parse(stdout) as RecipePlan
  assert.strictEqual(code, planned.fits ? 0 : 1, stderr)
  return planned
}

describe("speedq plan", () => {
  it("says first whether the recipe fits, then shows layers that are alike in one line, or each", async () => {
    const brief = await speedq(["plan", "nano-2bit"])
    assert.strictEqual(brief.code, 0, brief.stderr)
    assert.include(brief.stdout, `(rule 1, "**")`)
    const order = ["It fits", "memory: ", "disk: ", "time: ", "stage ", "size ", "layer ", "--layers shows each layer"]
    const places = order.map((text) => brief.stdout.indexOf(`${text}`))
    assert.isTrue(
      places.every((place, index) => place > (places[index - 1] ?? 0)),
      `${places}`
    )
    // What several stages tell is told once.
    const told = brief.stdout.split("\n").flatMap((line) => /^ {2}[a-z0-9, -]+: (.*)$/.exec(line)?.[1] ?? [])
    assert.isAbove(told.length, 10)
    assert.strictEqual(new Set(told).size, told.length)
    assert.match(brief.stdout, /^language_model\.model\.layers\.0-4\.mlp\.down_proj +5 /m)
    const each = await speedq(["plan", "nano-2bit", "--layers", "--no-time"])
    for (const block of [0, 1, 2, 3, 4]) {
      assert.match(each.stdout, new RegExp(`^language_model\\.model\\.layers\\.${block}\\.mlp\\.down_proj +1 `, "m"))
    }
    // Measuring is what was left out.
    assert.match(brief.stdout, /^time: {3}about /m)
    assert.match(each.stdout, /^time: {3}unknown$/m)
  })

  it("tells a note of all stages as one", async () => {
    const model = await randomNano(temporaryDirectory())
    const { stdout } = await speedq(["plan", writeRecipe(model, [evaluateStage("a"), evaluateStage("b")]), "--no-time"])
    assert.match(stdout, /^ {2}all stages: no rule names \d+ other layers/m)
  })

  it("says which layers get their quantizers by measurement, before the tables that are by rules", async () => {
    const model = await randomNano(temporaryDirectory())
    const to = (bits: number) => [
      { match: "**.layers.0.**", tower: "language", use: "uniform", with: { bits, group: 16 } }
    ]
    const quantizers = [{ match: "**", tower: "language", use: "uniform", with: { bits: 2, group: 16 } }]
    const allocate = {
      ...{ use: "allocate-bits", budget: "3.5 bits", candidates: [to(2), to(4)], records: 4 },
      data: { meta: join(root, "data/nano/datasets.json") }
    }
    const recipe = writeRecipe(model, [allocate, { use: "round-language", quantizers }])
    const { layers } = await plan([recipe])
    assert.deepStrictEqual(
      layers!.allocated.map(({ stage }) => stage),
      ["01-allocate-bits"]
    )
    const chosen = layers!.allocated.flatMap((each) => each.layers)
    assert.include(chosen, "language_model.model.layers.0.mlp.down_proj")
    for (const layer of chosen) assert.match(layer, /^language_model\.model\.layers\.0\./)
    const { stdout } = await speedq(["plan", recipe, "--no-time"])
    assert.match(
      stdout,
      new RegExp(`^01-allocate-bits chooses the quantizers of ${chosen.length} of these layers`, "m")
    )
    const alone = await plan([writeRecipe(model, [{ use: "round-language", quantizers }])])
    assert.deepStrictEqual(alone.layers!.allocated, [])
  })

  it("says which rule gives which layer how many bits, and sums up", async () => {
    const model = await randomNano(temporaryDirectory())
    const planned = await plan([writeRecipe(model, [evaluateStage("full"), ...speedqStages(3)])])
    const layers = new Map(planned.layers!.layers.map((row) => [row.layer, row]))
    const qkv = layers.get("vision_model.encoder.layers.0.attn.qkv")!
    assert.deepInclude(qkv, { stage: "02-adaround-vit", match: "**", quantizer: "bilevel", bitsPerWeight: 2.875 })
    assert.strictEqual(qkv.bytes, (192 * 64 * 2.875) / 8)
    assert.deepInclude(layers.get("language_model.lm_head")!, {
      stage: "04-qat",
      quantizer: "embedding-sym4",
      bitsPerWeight: 4.5
    })
    assert.deepInclude(layers.get("mlp1.1")!, { stage: null, quantizer: null, bitsPerWeight: 16 })
    const whole = await plan([writeRecipe(model, speedqStages(3)), "--set", "qat.quantizeProjector=true"])
    const projector = whole.layers!.layers.find(({ layer }) => layer === "mlp1.1")!
    assert.deepInclude(projector, { stage: "03-qat", quantizer: "bilevel" })
    const { parts, total } = planned.layers!.size
    assert.strictEqual(
      total.bytes,
      parts.reduce((sum, { bytes }) => sum + bytes, 0)
    )
    assert.strictEqual(total.parameters, planned.layers!.parameters)
    assert.deepStrictEqual(
      planned.forecast.stages.map(({ place }) => place),
      ["01-evaluate", "02-adaround-vit", "03-train-projector", "04-qat"]
    )
    assert.isTrue(planned.fits, JSON.stringify(planned.problems))
  })

  it("counts a layer of the tower by the last stage that names it, and those that a later stage leaves alone as before", async () => {
    const model = await randomNano(temporaryDirectory())
    const stages = speedqStages(3)
    const scheme = (stages[0] as { readonly quantizers: readonly object[] }).quantizers
    const meta = join(root, "data/nano/datasets.json")
    const gptq = (more: object) => ({
      use: "gptq",
      calibration: { meta },
      quantizers: scheme.map((rule) => ({ ...rule, ...more }))
    })
    /** How many Linears of the tower a stage decides about. */
    const counts = async (more: object) => {
      const planned = await plan([writeRecipe(model, [stages[0]!, gptq(more)])])
      const tower = planned.layers!.layers.filter((row) => row.tower === "vision")
      return ["01-adaround-vit", "02-gptq"].map((place) => tower.filter(({ stage }) => stage === place).length)
    }
    assert.deepStrictEqual(await counts({ tower: "language" }), [12, 0])
    assert.deepStrictEqual(await counts({ match: "vision_model.encoder.layers.1.**" }), [8, 4])
  })

  it("forecasts training on data that is not there yet, by the lengths that the meta file states", async () => {
    const model = join(temporaryDirectory(), "InternVL3-1B")
    const { fits, forecast } = await plan(["internvl3-1b-2bit-light", "--set", `model=${model}`], [])
    assert.isFalse(fits)
    const { lines, seconds } = forecast.stages.find(({ place }) => place === "04-qat")!.forecast
    assert.include(lines.join("\n"), "480 samples of 50 data sets in 120 steps of 4")
    assert.isAbove(seconds!, 0)
  })

  it("gives InternVL3-1B the sizes of docs/method.md#parameters-and-bytes, from the config alone", async () => {
    const directory = temporaryDirectory()
    const model = join(directory, "model")
    mkdirSync(model)
    copyFileSync(join(shippedModels, "internvl3-1b.json"), join(model, "config.json"))
    const quantizers = [{ match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }]
    const stages = speedqStages(3).map((stage) => ("quantizers" in stage ? { ...stage, quantizers } : stage))
    const planned = await plan([writeRecipe(model, stages)])
    const megabytes = (name: string) => {
      const { parts, total } = planned.layers!.size
      return [...parts, total].find((part) => part.name === name)!.bytes / 1e6
    }
    assert.approximately(megabytes("total"), 372.2, 0.05)
    assert.approximately(megabytes("vision linears"), 94.4, 0.05)
    assert.approximately(megabytes("language linears"), 111.8, 0.05)
    assert.approximately(megabytes("embeddings"), 152.9, 0.05)
    assert.strictEqual(planned.layers!.parameters, 938_193_024)
  })

  it("takes the shapes of a model that is not downloaded yet from the shipped config, and says what is missing", async () => {
    const file = writeRecipe(join(temporaryDirectory(), "InternVL3-2B"), speedqStages(3))
    const planned = await plan([file])
    assert.strictEqual(planned.layers!.shapesFrom, join(shippedModels, "internvl3-2b.json"))
    assert.strictEqual(planned.layers!.parameters, 2_088_957_440)
  })

  it("says a problem and what to do about it once: a model that is not there, a meta file with a wrong key", async () => {
    const directory = temporaryDirectory()
    const stages = speedqStages(3)
    const absent = await plan([writeRecipe(join(directory, "absent"), stages)])
    const config = join(directory, "absent/config.json")
    assert.deepStrictEqual(absent.problems, [
      {
        stage: "all",
        issue: `model ${config}: it does not exist; give a directory of an InternVL model`
      }
    ])
    const meta = join(directory, "meta.json")
    writeFileSync(meta, JSON.stringify({ few: { root: 1, annotation: "few.jsonl" } }))
    const bad = stages.map((stage) => ("data" in stage ? { ...stage, data: { meta } } : stage))
    const { stdout } = await speedq(["plan", writeRecipe(await randomNano(directory), bad), "--no-time"])
    assert.match(
      stdout,
      / {2}02-train-projector, 03-qat: .*meta\.json: data set "few": root: Expected string, got 1; correct that\n/
    )
  })

  it("lists what of each data set is there, and ends with 1 where that is not enough", async () => {
    const directory = temporaryDirectory()
    const conversations = [
      { from: "human", value: "What?" },
      { from: "gpt", value: "red" }
    ]
    const records = [{ conversations }, { image: "none.png", conversations }]
    writeFileSync(join(directory, "few.jsonl"), records.map((record) => JSON.stringify(record)).join("\n"))
    const meta = join(directory, "few.json")
    writeFileSync(meta, JSON.stringify({ few: { root: ".", annotation: "few.jsonl" } }))
    const stages = speedqStages(3).map((stage) => ("data" in stage ? { ...stage, data: { meta } } : stage))
    const file = writeRecipe(await randomNano(directory), stages)
    const refused = await speedq(["plan", file, "--no-time"])
    assert.strictEqual(refused.code, 1)
    assert.include(refused.stdout, "data set few: 2 lines, 2 of them selected, 1 pictures, 1 missing")
    assert.include(
      refused.stdout,
      `1 pictures do not exist: ${join(directory, "none.png")} (${join(directory, "few.jsonl")}:2)`
    )
    const replacing = ["train-projector", "qat"].flatMap((stage) => ["--set", `${stage}.data.onError=substitute`])
    assert.strictEqual((await speedq(["plan", file, "--no-time", ...replacing])).code, 0)
  })

  it.each([
    ["InternVL2_5-1B", 938_193_024],
    ["InternVL2_5-2B", 2_205_754_368],
    ["InternVL3-8B", 7_944_373_760],
    ["InternVL3_5-1B", 1_060_897_792],
    ["InternVL3_5-2B", 2_348_347_392]
  ])("plans the shipped recipe of InternVL3.5-1B for %s too", async (name, parameters) => {
    const model = join(temporaryDirectory(), name)
    const { layers } = await plan(["internvl3_5-1b-2bit", "--set", `model=${model}`])
    assert.strictEqual(layers!.shapesFrom, join(shippedModels, `${name.toLowerCase()}.json`))
    assert.strictEqual(layers!.parameters, parameters)
    const bits = layers!.layers.map(({ bitsPerWeight }) => bitsPerWeight)
    // Linears of both towers at 2 bits, embedding and head at 4, the projector not at all.
    assert.deepStrictEqual(
      [...new Set(bits)].toSorted((a, b) => a - b),
      [2.5, 4.5, 16]
    )
  })

  it("lists a rule that fits no layer among the problems", async () => {
    const model = await randomNano(temporaryDirectory())
    const [vision, ...others] = speedqStages(3)
    const quantizers = [{ match: "**.fc3", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 4 } }]
    const file = writeRecipe(model, [{ ...vision, quantizers }, ...others])
    const planned = await plan([file])
    assert.isFalse(planned.fits)
    assert.match(planned.problems.map(({ issue }) => issue).join("\n"), /\*\*\.fc3/)
    const { code, stdout } = await speedq(["plan", file, "--no-time"])
    assert.strictEqual(code, 1)
    assert.match(stdout, /It cannot run here:\n.*\*\*\.fc3/)
  })
})

describe("a recipe that cannot be read", () => {
  it("names the recipes near a path that is not there", async () => {
    const directory = temporaryDirectory()
    writeFileSync(join(directory, "nano-2bit.json"), "{}")
    const { code, stdout, stderr } = await speedqProcess(["plan", "nano-2bits.json"], { cwd: directory })
    assert.strictEqual(code, 1)
    assert.strictEqual(stdout, "")
    assert.match(stderr, /^error: no recipe nano-2bits\.json: there is no such file; did you mean .*nano-2bit\.json/)
  })

  it("says where it is no JSON, and lists all that is wrong in it", async () => {
    const directory = temporaryDirectory()
    const file = join(directory, "r.json")
    writeFileSync(file, "{ version: 1 }")
    assert.match((await speedq(["plan", file])).stderr, /^error: recipe .*r\.json: .*JSON/)
    writeFileSync(file, JSON.stringify({ version: 1, name: "r", model: "m", stages: [{ use: "qatt" }] }))
    const { code, stderr } = await speedq(["run", file])
    assert.strictEqual(code, 1)
    assert.match(stderr, /01-qatt\.use: there is no stage "qatt"; did you mean qat\?/)
  })

  it("takes an unknown --set for wrong usage and names the near paths", async () => {
    const file = writeRecipe(join(temporaryDirectory(), "m"), speedqStages(3))
    const { code, stderr } = await speedq(["plan", file, "--set", "qat.maxStep=3"])
    assert.strictEqual(code, 2)
    assert.match(stderr, /--set qat\.maxStep=3: there is no "qat\.maxStep" to set; did you mean .*qat\.maxSteps/)
  })
})
