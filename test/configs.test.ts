/** Every recipe in configs/ decodes with the stages that there are, and quantizes what the paper's does. */
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { benchmarks } from "@speedq/evaluation"
import { decodeAblation, decodeAblationDocument, Recipe } from "@speedq/pipeline"
import { stages } from "@speedq/stages"
import { readDatasetMeta } from "@speedq/vlm-model"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"

const recipes = readdirSync("configs").filter((name) => /^internvl.*\.json$/.test(name))

/** Labels of the stages of a recipe that a bad record or picture ends. */
const stopping = ({ stages }: Recipe.AnyRecipe): readonly string[] =>
  Recipe.labelled(stages).flatMap(({ label, stage }) => {
    const config = stage.config as { readonly onError?: string; readonly data?: { readonly onError: string } }
    return (config.data ?? config).onError === "fail" ? [label] : []
  })

describe("configs", () => {
  const trained = ["adaround-vit", "train-projector", "autoclip", "qat", "export", "export", "evaluate"]
  const expected: { readonly [name: string]: readonly string[] } = {
    "3-1b-2bit": trained,
    "3-1b-2bit-balanced": trained,
    "3-1b-2bit-light": trained,
    "3-1b-4bit": trained,
    "3-1b-gguf-2bit": trained,
    "3-1b-gguf-4bit": trained,
    "3-1b-4bit-ptq": ["adaround-vit", "autoclip", "round-language", "export", "export", "evaluate"],
    "3-1b-mixed": trained,
    "3-2b-2bit": trained,
    "3-2b-4bit": trained,
    "3_5-1b-2bit": trained
  }

  it("has the paper's four, the mixed one, two shorter ones, two for GGUF, one without training, and one for a model with Qwen3", () => {
    assert.deepEqual(
      recipes.map((name) => name.replace(/^internvl(.*)\.json$/, "$1")).sort(),
      Object.keys(expected).sort()
    )
  })

  it("has a config of the shapes of every model that a recipe names", () => {
    for (const recipe of recipes) {
      const { model } = JSON.parse(readFileSync(`configs/${recipe}`, "utf8")) as { readonly model: string }
      const shapes = `configs/models/${model.replace("models/", "").toLowerCase()}.json`
      assert.isTrue(existsSync(shapes), `${recipe}: ${shapes}`)
      assert.isTrue(recipe.startsWith(shapes.slice("configs/models/".length, -".json".length)), recipe)
    }
  })

  for (const name of recipes) {
    it(`${name} decodes into the stages of SPEED-Q, in order`, async () => {
      const json: unknown = JSON.parse(readFileSync(`configs/${name}`, "utf8"))
      const recipe = await Effect.runPromise(Recipe.decode(stages, json))
      assert.deepEqual(
        recipe.stages.map((stage) => stage.name),
        expected[name.replace(/^internvl(.*)\.json$/, "$1")]
      )
      const { benchmarks: asked } = recipe.stages.at(-1)!.config as { readonly benchmarks: { readonly name: string }[] }
      assert.sameMembers(
        asked.map((each) => each.name),
        benchmarks.map((each) => each.name).filter((each) => each !== "nano")
      )
      assert.strictEqual(recipe.settings.seed, 42)
      assert.deepEqual(stopping(recipe), [])
    })
  }
})

describe("configs for GGUF", () => {
  const native = {
    "2bit": { bits: 2, group: 64, symmetric: true },
    "4bit": { bits: 4, group: 32, symmetric: true }
  }

  it("round on the grids that GGUF has, and write that format", () => {
    for (const [bits, options] of Object.entries(native)) {
      for (const name of [`nano-gguf-${bits}`, `internvl3-1b-gguf-${bits}`]) {
        const { schemes, stages } = JSON.parse(readFileSync(`configs/${name}.json`, "utf8"))
        assert.deepEqual(Object.values(schemes), [[{ match: "**", use: "uniform", with: options }]], name)
        assert.deepEqual(
          stages.flatMap(({ format }: { readonly format?: string }) => format ?? []),
          ["gguf", "packed"],
          name
        )
      }
    }
  })
})

describe("the paper's tables", () => {
  const read = (file: string) => JSON.parse(readFileSync(file, "utf8")) as never
  const variantsOf = async (name: string) => {
    const document = await Effect.runPromise(decodeAblationDocument(read(`configs/paper/${name}`)))
    const { runs } = await Effect.runPromise(decodeAblation(stages, document, read(`configs/paper/${document.base}`)))
    for (const { variant, recipe } of runs) assert.deepEqual(stopping(recipe), [], `${name}, ${variant}`)
    return new Map(runs.map(({ variant, recipe }) => [variant, recipe.stages]))
  }
  const tables = readdirSync("configs/paper").filter((name) => !name.includes("ablation"))

  it("are of both models at 2 and at 4 bits", () => {
    const names = ["1b-2bit", "1b-4bit", "2b-2bit", "2b-4bit"].map((name) => `internvl3-${name}.json`)
    assert.deepEqual(tables.sort(), names)
  })

  for (const name of tables) {
    it(`${name} compares full precision, rounding to nearest, and SPEED-Q`, async () => {
      const variants = await variantsOf(name)
      const kinds = (variant: string) => variants.get(variant)!.map((stage) => stage.name)
      assert.deepEqual([...variants.keys()], ["BF16", "RTN", "SPEED-Q"])
      assert.deepEqual(kinds("BF16"), ["evaluate"])
      assert.deepEqual(kinds("RTN"), ["adaround-vit", "round-language", "evaluate"])
      assert.deepInclude(variants.get("RTN")![0]!.config, { iterations: 0 })
      assert.deepEqual(kinds("SPEED-Q"), ["adaround-vit", "train-projector", "autoclip", "qat", "evaluate"])
      const rulesOf = (variant: string, use: string) =>
        (variants.get(variant)!.find((stage) => stage.name === use)!.config as { readonly quantizers: object })
          .quantizers
      assert.deepEqual(rulesOf("RTN", "round-language"), rulesOf("SPEED-Q", "qat"))
    })
  }

  it("take the ablations on the real model, too", async () => {
    const variants = await variantsOf("internvl3-1b-2bit-ablation.json")
    assert.strictEqual(variants.size, 7)
    assert.deepEqual(
      variants.get("all at once")!.map((stage) => stage.name),
      ["joint-qat", "evaluate"]
    )
  })
})

describe("nano's configs", () => {
  const read = (name: string) => JSON.parse(readFileSync(`configs/${name}.json`, "utf8")) as never
  const kinds = async (name: string) =>
    (await Effect.runPromise(Recipe.decode(stages, read(name)))).stages.map((stage) => stage.name)

  it("evaluate full precision, nearest, and what each stage gives", async () => {
    assert.deepEqual(
      await kinds("nano-2bit"),
      "evaluate evaluate adaround-vit evaluate train-projector evaluate autoclip evaluate qat export export evaluate".split(
        " "
      )
    )
    // At 4 bits clipping costs more than it wins (README).
    assert.strictEqual(
      (await kinds("nano-4bit")).join(" "),
      "evaluate evaluate adaround-vit train-projector qat export export evaluate"
    )
    for (const name of ["nano-2bit-long", "nano-gguf-2bit", "nano-gguf-4bit"]) {
      assert.deepEqual(
        await kinds(name),
        "evaluate evaluate adaround-vit train-projector autoclip qat export export evaluate".split(" ")
      )
    }
  })

  it("compare bits by sensitivity with the same number for all layers", async () => {
    assert.strictEqual(
      (await kinds("nano-mixed")).join(" "),
      "evaluate evaluate allocate-bits adaround-vit round-language export evaluate"
    )
  })

  it("take the ablations of the paper, three seeds each", async () => {
    const document = await Effect.runPromise(decodeAblationDocument(read("nano-ablation")))
    const { runs } = await Effect.runPromise(decodeAblation(stages, document, read("nano-2bit")))
    assert.isAtLeast(new Set(runs.map(({ seed }) => seed)).size, 3)
    const stagesOf = (variant: string) => {
      const { recipe } = runs.find((run) => run.variant === variant)!
      return recipe.stages.map((stage) => stage.name).join(" ")
    }
    const all = "adaround-vit train-projector autoclip qat evaluate"
    for (const variant of ["SPEED-Q", "without AdaRound", "CE only", "KD only"])
      assert.strictEqual(stagesOf(variant), all)
    assert.strictEqual(stagesOf("without stage 2"), "adaround-vit autoclip qat evaluate")
    assert.strictEqual(stagesOf("without clipping"), "adaround-vit train-projector qat evaluate")
    assert.strictEqual(stagesOf("all at once"), "joint-qat evaluate")
  })

  describe("the table of methods", () => {
    const table = async () => {
      const document = await Effect.runPromise(decodeAblationDocument(read("nano-table")))
      return Effect.runPromise(decodeAblation(stages, document, read("nano-2bit")))
    }
    const methods = ["RTN", "GPTQ", "AWQ", "Block-AP", "SPEED-Q"]

    it("compares five methods with SPEED-Q at each number of bits, and SPEED-Q with full precision", async () => {
      const { variants, runs, seeds } = await table()
      const stagesOf = (name: string) =>
        runs
          .find(({ variant }) => variant === name)!
          .recipe.stages.map((stage) => stage.name)
          .join(" ")
      assert.strictEqual(seeds.length, 5)
      const all = [2, 3, 4].flatMap((bits) => methods.map((method) => `${method} ${bits}-bit`))
      assert.deepStrictEqual(
        variants.map(({ name }) => name),
        ["full precision", ...all]
      )
      for (const { name, against, random } of variants.slice(1)) {
        const [method = "", bits = ""] = name.split(" ")
        assert.strictEqual(against, method === "SPEED-Q" ? "full precision" : `SPEED-Q ${bits}`)
        assert.strictEqual(random, method !== "RTN")
      }
      assert.strictEqual(stagesOf("full precision"), "evaluate")
      for (const bits of [2, 3, 4]) {
        assert.deepStrictEqual(
          methods.map((method) => stagesOf(`${method} ${bits}-bit`)),
          [
            "adaround-vit round-language evaluate",
            "gptq evaluate",
            "adaround-vit awq evaluate",
            "adaround-vit blockwise evaluate",
            `adaround-vit train-projector ${bits === 4 ? "" : "autoclip "}qat evaluate`
          ]
        )
      }
    })

    it("quantizes to the bits that it says, by the recipes for these bits", async () => {
      const { runs } = await table()
      const recipeOf = (name: string) => runs.find(({ variant }) => variant === name)!.recipe
      const rulesIn = ({ config }: { readonly config: unknown }): readonly unknown[] => {
        const { quantizers = [] } = config as { readonly quantizers?: readonly { readonly with: unknown }[] }
        return quantizers.map((rule) => rule.with)
      }
      const grids = { 2: [2, 16, 16], 3: [3, 16, 16], 4: [4, 32, 32] }
      for (const [bits, [own, group, scaleGroup]] of Object.entries(grids)) {
        for (const method of methods) {
          const rules = recipeOf(`${method} ${bits}-bit`).stages.flatMap(rulesIn)
          assert.isNotEmpty(rules)
          for (const rule of rules) assert.deepInclude(rule, { bits: own, group, scaleGroup })
        }
      }
      for (const bits of [2, 4]) {
        const shipped = await Effect.runPromise(Recipe.decode(stages, read(`nano-${bits}bit`)))
        for (const { name, config } of recipeOf(`SPEED-Q ${bits}-bit`).stages.filter(
          ({ name }) => name !== "evaluate"
        )) {
          assert.deepEqual(config, shipped.stages.find((stage) => stage.name === name)!.config, `${name}, ${bits} bits`)
        }
      }
      const shipped = await Effect.runPromise(Recipe.decode(stages, read("nano-2bit-ptq")))
      const blockwise = (recipe: Recipe.AnyRecipe) => recipe.stages.find(({ name }) => name === "blockwise")!.config
      assert.deepEqual(blockwise(recipeOf("Block-AP 2-bit")), blockwise(shipped))
    })
  })
})

describe("data/training_datasets.json", () => {
  it("lists the fifty data sets with their lengths, from which recipes take their percentages", async () => {
    const file = "data/training_datasets.json"
    const datasets = await Effect.runPromise(readDatasetMeta(file, "data"))
    const entries = JSON.parse(readFileSync(file, "utf8")) as { readonly [name: string]: { readonly length: number } }
    const lengths = datasets.map(({ name }) => entries[name]!.length)
    const drawn = (percent: number) => lengths.reduce((sum, length) => sum + Math.floor((length * percent) / 100), 0)
    assert.strictEqual(datasets.length, 50)
    // docs/method.md, "Data sets": one and ten percent of 6,816,594 records.
    assert.deepStrictEqual([drawn(100), drawn(1), drawn(10)], [6_816_594, 68_142, 681_637])
    for (const recipe of recipes.filter((name) => !name.includes("ptq"))) {
      assert.include(readFileSync(`configs/${recipe}`, "utf8"), `"meta": "${file}"`)
    }
  })
})
