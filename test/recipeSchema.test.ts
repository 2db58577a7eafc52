/** configs/recipe.schema.json, which editors check recipes with: it takes what the decoder takes and refuses it in the same places. */
import { readdirSync, readFileSync } from "node:fs"
import { exporters } from "@speedq/exports"
import { decodeAblationDocument, Recipe } from "@speedq/pipeline"
import { quantizers } from "@speedq/quantizers"
import { stages } from "@speedq/stages"
import { Ajv } from "ajv"
import * as Effect from "effect/Effect"
import { assert, describe, it } from "vitest"

const schemaFile = "recipe.schema.json"
const read = (name: string): unknown => JSON.parse(readFileSync(`configs/${name}`, "utf8"))
const validate = new Ajv({ allErrors: true, strict: true, strictTypes: false, strictRequired: false }).compile(
  read(schemaFile) as object
)

/** Places in which the JSON Schema finds something wrong, written as the decoder does. */
const refusedBySchema = (json: unknown): readonly string[] => {
  validate(json)
  const errors = (validate.errors ?? []).filter(({ keyword }) => keyword !== "if")
  const places = errors.map(({ instancePath, params }) => {
    const within = instancePath.split("/").slice(1)
    const named: unknown = params["additionalProperty"] ?? params["missingProperty"]
    return [...within, ...(typeof named === "string" ? [named] : [])]
      .map((part) => (/^\d+$/.test(part) ? `[${part}]` : `.${part}`))
      .join("")
      .replace(/^\./, "")
  })
  return [...new Set(places)].sort()
}

/** Of `02-qat.data`, which the decoder says, `stages[1].data`, where it stands in the file. */
const placeInFile = (path: string): string =>
  path.replace(/^(\d\d)-[^.[]+/, (_, place: string) => `stages[${Number(place) - 1}]`)

const problemsOf = <A, E extends { readonly problems: readonly { readonly path: string }[] }>(
  decoded: Effect.Effect<A, E>
): readonly string[] => {
  const paths = Effect.runSync(
    Effect.match(decoded, { onSuccess: () => [], onFailure: ({ problems }) => problems.map(({ path }) => path) })
  )
  return [...new Set(paths.map(placeInFile))].sort()
}

const good = {
  $schema: "./recipe.schema.json",
  version: 1,
  name: "good",
  model: "models/good",
  save: { everySteps: 10 },
  schemes: { w2: [{ match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }] },
  stages: [
    { use: "adaround-vit", images: "images", quantizers: "w2", cache: "1 GiB" },
    { use: "train-projector", data: { meta: "data.json", percent: 1 }, embeddings: null },
    {
      use: "qat",
      data: { meta: "data.json", quirks: { substitutions: 3 } },
      quantizers: [{ scheme: "w2", tower: "language" }, "w2", { match: "**.v_proj", use: "n2f3" }],
      loss: { confidence: 0.5 },
      embeddings: { use: "embedding-sym4", with: { grid: "absmax7" } }
    },
    { use: "export", format: "fake-quant", with: { dtype: "f32" } },
    { use: "evaluate", title: "end", benchmarks: [{ name: "nano", data: "short.tsv", limit: 5 }], nearest: [] }
  ]
}

type Path = readonly (string | number)[]

/** The recipe with another value at a place; undefined leaves it out. */
const changed = (json: unknown, [first, ...rest]: Path, value: unknown): unknown => {
  if (first === undefined) return value
  const copy = (Array.isArray(json) ? [...json] : { ...(json as object) }) as Record<string | number, unknown>
  copy[first] = changed(copy[first], rest, value)
  if (copy[first] === undefined) delete copy[first]
  return copy
}

describe("the JSON Schema of recipes", () => {
  it("is what every recipe of configs/ names, and takes all of them", () => {
    const recipes = readdirSync("configs").filter((name) => name.endsWith(".json") && name !== schemaFile)
    assert.isAtLeast(recipes.length, 9)
    for (const name of recipes) {
      assert.strictEqual((read(name) as { readonly $schema: string }).$schema, `./${schemaFile}`, name)
      assert.deepEqual(refusedBySchema(read(name)), [], name)
    }
  })

  it("has a name of its own, and the package exports it as the build ships it", () => {
    assert.strictEqual((read(schemaFile) as { readonly $id: string }).$id, "urn:speedq:recipe:1")
    const { exports, files } = JSON.parse(readFileSync("packages/speedq/package.json", "utf8"))
    assert.strictEqual(exports[`./${schemaFile}`], `./dist/share/configs/${schemaFile}`)
    assert.include(files, "dist")
    assert.include(readFileSync("docs/command.md", "utf8"), `./node_modules/speedq/dist/share/configs/${schemaFile}`)
  })

  it("takes a recipe that uses whatever there is", () => {
    assert.deepEqual(problemsOf(Recipe.decode(stages, good)), [])
    assert.deepEqual(refusedBySchema(good), [])
  })

  const wrong: readonly (readonly [Path, unknown])[] = [
    [["version"], 2],
    [["name"], undefined],
    [["model"], 3],
    [["seeds"], 3],
    [["save", "everySteps"], 0],
    [["save", "often"], true],
    [["memory"], { device: 16 }],
    [["memory"], { limits: "4 GiB" }],
    [["stages"], []],
    [["stages", 0, "use"], 3],
    [["stages", 0, "use"], undefined],
    [["stages", 0, "images"], undefined],
    [["stages", 0, "iterations"], -1],
    [["stages", 0, "iterations"], 2.5],
    [["stages", 0, "warmup"], 1.5],
    [["stages", 0, "iteration"], 5],
    [["stages", 0, "inputs"], "symmetric"],
    [["stages", 0, "cache"], 5],
    [["stages", 0, "quantizers"], []],
    [["stages", 1, "data", "percent"], 101],
    [["stages", 1, "data", "metas"], "data.json"],
    [["stages", 1, "embeddings"], { with: {} }],
    [["stages", 2, "data", "quirks", "maskTokenZero"], "yes"],
    [["stages", 2, "quantizers"], [{ match: "", use: "none" }]],
    [["stages", 2, "quantizers"], [{ use: "none" }]],
    [["stages", 2, "quantizers"], [{ match: "**", use: "none", towers: "vision" }]],
    [["stages", 2, "quantizers"], [{ match: "**", use: "none", tower: "text" }]],
    [["stages", 2, "loss", "temperature"], 0],
    [["stages", 2, "loss", "beta"], 0.5],
    [["stages", 3, "rest"], "f64"],
    [["stages", 4, "benchmarks", 0, "limit"], 0],
    [["stages", 4, "benchmarks"], [{ data: "short.tsv" }]],
    [["stages", 4, "title"], ""]
  ]
  it.each(wrong)("refuses another %j (%j) where the decoder does", (path, value) => {
    const recipe = changed(good, path, value)
    const places = problemsOf(Recipe.decode(stages, recipe))
    assert.isNotEmpty(places)
    // Of a union, the decoder names the place, the JSON Schema what is wrong in each of its forms as well.
    assert.includeMembers([...refusedBySchema(recipe)], [...places])
  })

  const wrongChoices: readonly (readonly [Path, unknown, string])[] = [
    [["schemes", "w2", 0, "use"], 2, "schemes.w2[0].use"],
    [["schemes", "w2", 0, "with", "bits"], 7, "schemes.w2[0].with.bits"],
    [["schemes", "w2", 0, "with"], undefined, "schemes.w2[0].with"],
    [["schemes", "w2", 0, "with", "rows"], 16, "schemes.w2[0].with.rows"],
    [["stages", 2, "quantizers", 2, "with"], { bits: 2 }, "stages[2].quantizers[2].with.bits"],
    [["stages", 2, "embeddings", "with", "grid"], "absmax", "stages[2].embeddings.with.grid"],
    [["stages", 3, "format"], 3, "stages[3].format"],
    [["stages", 3, "formt"], "packed", "stages[3].formt"],
    [["stages", 3, "with", "dtype"], "f8", "stages[3].with.dtype"],
    [["stages", 3], { use: "export", format: "packed", with: { dtype: "f32" } }, "stages[3].with.dtype"]
  ]
  it.each(wrongChoices)("refuses a quantizer or format with another %j (%j)", (path, value, place) => {
    assert.include(refusedBySchema(changed(good, path, value)), place)
  })

  it("takes what plugins bring, with any options, and completes the names of ours", () => {
    const own = { match: "**", use: "ternary", with: { group: 16 } }
    const fromPlugins: readonly (readonly [Path, unknown])[] = [
      [["schemes", "w2", 0], own],
      [
        ["stages", 2, "quantizers"],
        [own, { ...own, tower: "vision", with: undefined }]
      ],
      [["stages", 2, "embeddings"], { use: "ternary", with: { group: 16 } }],
      [["stages", 3], { use: "export", format: "npy", with: { compressed: true } }],
      [["stages", 1], { use: "round-projector", dtype: "f16" }]
    ]
    for (const [path, value] of fromPlugins) {
      assert.deepEqual(
        refusedBySchema(JSON.parse(JSON.stringify(changed(good, path, value)))),
        [],
        JSON.stringify(path)
      )
    }
    // What stands around them stays strict.
    assert.include(
      refusedBySchema(changed(good, ["schemes", "w2", 0], { ...own, towr: "vision" })),
      "schemes.w2[0].towr"
    )

    const { definitions } = read(schemaFile) as {
      readonly definitions: { readonly [name: string]: { readonly properties: { readonly [name: string]: unknown } } }
    }
    const named = { stage: stages.map(({ name }) => name), rule: quantizers.map(({ id }) => id) }
    for (const [definition, names] of Object.entries(named)) {
      const { anyOf } = definitions[definition]!.properties["use"] as { readonly anyOf: readonly object[] }
      assert.deepEqual(anyOf, [{ enum: names }, { type: "string" }])
    }
    const { anyOf } = definitions["stage-export"]!.properties["format"] as { readonly anyOf: readonly object[] }
    assert.deepEqual(anyOf, [{ enum: exporters.map(({ id }) => id) }, { type: "string" }])
  })

  it("refuses an ablation where the decoder does", () => {
    const ablation = read("nano-ablation.json")
    const cases: readonly (readonly [Path, unknown])[] = [
      [["seeds"], []],
      [["seeds", 0], "one"],
      [["variants", 1, "name"], undefined],
      [["variants", 0, "sets"], []],
      [["variants", 0, "seeds"], []],
      [["variants", 0, "random"], "no"],
      [["variants", 0, "against"], 2],
      [["base"], undefined],
      [["replace"], { qat: 3 }]
    ]
    for (const [path, value] of cases) {
      const changedAblation = changed(ablation, path, value)
      const places = problemsOf(decodeAblationDocument(changedAblation))
      assert.isNotEmpty(places)
      assert.deepEqual(refusedBySchema(changedAblation), places, JSON.stringify(path))
    }
  })
})
