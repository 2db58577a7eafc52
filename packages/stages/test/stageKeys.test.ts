/** Every option of every stage decides its key, or is policy and does not; and the key has the versions of all that computes. */
import * as NodeServices from "@effect/platform-node/NodeServices"
import type { Stage } from "@speedq/pipeline"
import { bilevelQuantizer } from "@speedq/quantizers"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import type { Json } from "effect/Schema"
import * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"
import { assert, describe, it } from "vitest"
import { builtIn, Extensions } from "../src/extensions/Extensions.ts"
import { stages } from "../src/registry/stages.ts"
import { evaluation, nearest, nearestLanguage, shortStages } from "./support/nano.ts"

type Path = ReadonlyArray<string | number>
type Config = { readonly [option: string]: Json }

/** A configuration of each kind of stage, with everything in it that has options of its own. */
const configs: { readonly [use: string]: ReadonlyArray<object> } = {
  "allocate-bits": [{ budget: "3 bits", candidates: [nearest.slice(0, 1)], data: { meta: "data.json" } }],
  "adaround-vit": [shortStages.adaround],
  "blockwise-vit": [shortStages.blockwiseVit],
  "import-vit": [{ weights: "vit.safetensors", quantizers: nearest.slice(0, 1) }],
  "train-projector": [shortStages.projector],
  autoclip: [shortStages.autoclip, { ...shortStages.autoclip, calibration: { meta: "data.json" } }],
  "round-language": [{ quantizers: nearest.slice(0, 1) }],
  "adaround-language": [shortStages.adaroundLanguage],
  blockwise: [shortStages.blockwise],
  gptq: [{ calibration: { meta: "data.json" }, actOrder: false, quantizers: nearest.slice(0, 1) }],
  awq: [{ calibration: { meta: "data.json" }, quantizers: nearestLanguage.slice(0, 1) }],
  qat: [shortStages.qat],
  "joint-qat": [shortStages.qat],
  export: [{ format: "fake-quant", with: { dtype: "f32" } }],
  evaluate: [evaluation("scores", { nearest })]
}

const definitionOf = (use: string): Stage.Registered => stages.find(({ name }) => name === use)!

const configured = (use: string, config: object): Stage.AnyStage => {
  const { use: _use, ...options } = { use: "", ...config }
  return Result.getOrThrow(definitionOf(use).decode(options))
}

interface Field {
  readonly path: Path
  readonly ast: SchemaAST.AST
  readonly policy: boolean
}

const isObject = (value: unknown): value is Config =>
  typeof value === "object" && value !== null && !Array.isArray(value)
const accepts = (ast: SchemaAST.AST, value: unknown) => Schema.is(Schema.make<Schema.Codec<unknown>>(ast))(value)

/** Every option at and below `path`, also those that are left out; of one that has options itself, these. */
const fieldsOf = (ast: SchemaAST.AST, value: Json | undefined, path: Path): ReadonlyArray<Field> => {
  const policy = SchemaAST.resolveAt<boolean>("policy")(ast) === true
  if (policy || value === undefined) return [{ path, ast, policy }]
  if (SchemaAST.isUnion(ast)) {
    const form = ast.types.find((type) => accepts(type, value))!
    return isObject(value) ? fieldsOf(form, value, path) : [{ path, ast, policy }]
  }
  if (SchemaAST.isArrays(ast) && Array.isArray(value)) {
    return value.flatMap((each, index) => fieldsOf(ast.elements[index] ?? ast.rest[0]!, each, [...path, index]))
  }
  if (!SchemaAST.isObjects(ast) || !isObject(value) || ast.propertySignatures.length === 0)
    return [{ path, ast, policy }]
  return ast.propertySignatures.flatMap(({ name, type }) =>
    fieldsOf(type, value[String(name)], [...path, String(name)])
  )
}

/** The literals of a schema, with values of every kind. */
const candidatesFor = (ast: SchemaAST.AST): ReadonlyArray<Json> => [
  ...(SchemaAST.isUnion(ast) ? ast.types : [ast]).flatMap((type) =>
    SchemaAST.isLiteral(type) && typeof type.literal !== "bigint" ? [type.literal] : []
  ),
  ...[
    true,
    false,
    1,
    2,
    3,
    0.25,
    0.5,
    "3 GiB",
    "other",
    {},
    { other: 1 },
    ["other"],
    [{ use: "other" }],
    [{ match: "other", use: "none" }]
  ]
]

const replaced = (json: Json | undefined, [first, ...rest]: Path, value: Json): Json => {
  if (first === undefined) return value
  if (Array.isArray(json)) return json.map((each, index) => (index === first ? replaced(each, rest, value) : each))
  const object = isObject(json) ? json : {}
  return { ...object, [first]: replaced(object[String(first)], rest, value) }
}

/** The same stage with another value of one option. */
const changed = (stage: Stage.AnyStage, { path, ast }: Field): Stage.AnyStage => {
  for (const candidate of candidatesFor(ast)) {
    const decoded = definitionOf(stage.name).decode(replaced(stage.config, path, candidate))
    if (Result.isFailure(decoded)) continue
    if (JSON.stringify(decoded.success.config) !== JSON.stringify(stage.config)) return decoded.success
  }
  return assert.fail(`found no other value for ${stage.name}.${path.join(".")}: add one to the candidates`)
}

const cases = Object.entries(configs).flatMap(([use, each]) => each.map((config) => configured(use, config)))
const fieldsOfStage = (stage: Stage.AnyStage) => fieldsOf(definitionOf(stage.name).configAst, stage.config, [])

describe("an option", () => {
  it("is looked at here for every kind of stage", () => {
    assert.deepStrictEqual(Object.keys(configs).sort(), stages.map(({ name }) => name).sort())
  })

  for (const stage of cases) {
    it(`of ${stage.name} changes the key unless it is policy`, () => {
      const fields = fieldsOfStage(stage)
      assert.isAbove(fields.length, 2)
      for (const field of fields) {
        const other = changed(stage, field)
        const same = JSON.stringify(other.keyConfig) === JSON.stringify(stage.keyConfig)
        assert.strictEqual(same, field.policy, `${stage.name}.${field.path.join(".")}`)
      }
    })
  }

  it("is policy only where it cannot change what is computed, or where the fingerprint has it", () => {
    const policies = cases.flatMap((stage) =>
      fieldsOfStage(stage).flatMap(({ path, policy }) => (policy ? [`${stage.name}.${path.join(".")}`] : []))
    )
    const data = ["images", "onError", "pictures", "workers", "warnShare"]
    const training = [...data.map((option) => `data.${option}`), "rematerialize", "featureCache"]
    assert.sameMembers(policies, [
      ...["adaround-vit", "blockwise-vit"].flatMap((name) =>
        ["cache", "reading", "onError"].map((option) => `${name}.${option}`)
      ),
      ...data.map((option) => `allocate-bits.data.${option}`),
      "adaround-language.cache",
      "blockwise.cache",
      "gptq.cache",
      "awq.cache",
      ...["autoclip", "adaround-language", "blockwise", "gptq", "awq"].flatMap((name) =>
        data.map((option) => `${name}.calibration.${option}`)
      ),
      "qat.teacherWeights",
      "joint-qat.teacherWeights",
      ...["train-projector", "qat", "joint-qat"].flatMap((name) => training.map((option) => `${name}.${option}`))
    ])
  })
})

describe("how pictures are read", () => {
  it("is in the fingerprint of every stage that reads some, beside the default", async () => {
    const recipe = { name: "reading", model: "none", seed: 1, save: { everySeconds: 300 } }
    const quantizers = [{ match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } }]
    const fingerprint = (use: string, config: object) =>
      Effect.runPromise(
        configured(use, config).fingerprint(recipe).pipe(Effect.provide(NodeServices.layer)) as Effect.Effect<string>
      )
    const reads: { readonly [use: string]: (images: object) => object } = {
      "adaround-vit": (reading) => ({ images: "none", reading, quantizers }),
      "blockwise-vit": (reading) => ({ images: "none", reading, quantizers }),
      "allocate-bits": (images) => ({
        budget: "3 bits",
        candidates: [quantizers],
        data: { meta: "none.json", images }
      }),
      autoclip: (images) => ({ calibration: { meta: "none.json", images }, quantizers }),
      gptq: (images) => ({ calibration: { meta: "none.json", images }, quantizers }),
      awq: (images) => ({ calibration: { meta: "none.json", images }, quantizers }),
      qat: (images) => ({ data: { meta: "none.json", images }, quantizers }),
      "joint-qat": (images) => ({ data: { meta: "none.json", images }, quantizers })
    }
    for (const [use, config] of Object.entries(reads)) {
      const plain = await fingerprint(use, config({}))
      assert.strictEqual(await fingerprint(use, config({ truncated: "reject" })), plain, use)
      const [loaded, limited] = [{ truncated: "load" }, { maxPixels: 9 }]
      assert.notStrictEqual(await fingerprint(use, config(loaded)), plain, use)
      assert.notStrictEqual(await fingerprint(use, config(limited)), plain, use)
      assert.notStrictEqual(await fingerprint(use, { ...config({}), compat: "reference" }), plain, use)
    }
  })
})

describe("versions in a key", () => {
  const recipe = { name: "versions", model: "none", seed: 1, save: { everySeconds: 300 } }
  const versionsOf = (use: string, config: object, lists = builtIn) =>
    Effect.runSync(
      Effect.provideService(
        configured(use, config).versions(recipe) as Effect.Effect<Stage.Versions>,
        Extensions,
        lists
      )
    )

  it("are those of quantizers, losses, exporters, benchmarks and kernels", () => {
    const [adaround, projector, autoclip, qat, exported, evaluate] = [
      versionsOf("adaround-vit", shortStages.adaround),
      versionsOf("train-projector", shortStages.projector),
      versionsOf("autoclip", shortStages.autoclip),
      versionsOf("qat", shortStages.qat),
      versionsOf("export", { format: "packed" }),
      versionsOf("evaluate", evaluation("scores", { nearest }))
    ].map((versions) => Object.keys(versions!).sort())
    assert.deepStrictEqual(adaround, ["kernels", "quantizer bilevel"])
    assert.deepStrictEqual(projector, ["kernels", "loss cross-entropy", "quantizer embedding-sym4"])
    assert.deepStrictEqual(autoclip, ["kernels", "quantizer bilevel", "quantizer embedding-sym4"])
    assert.deepStrictEqual(qat, [
      "kernels",
      "loss cakld",
      "loss cross-entropy",
      "quantizer bilevel",
      "quantizer embedding-sym4"
    ])
    assert.deepStrictEqual(exported, ["exporter packed", "kernels"])
    assert.deepStrictEqual(evaluate, ["benchmark nano", "kernels", "quantizer bilevel", "quantizer embedding-sym4"])
  })

  it("leave out a loss without a factor, and embeddings that stay", () => {
    const versions = versionsOf("qat", { ...shortStages.qat, embeddings: null, loss: { cakld: 0 } })
    assert.deepStrictEqual(Object.keys(versions).sort(), ["kernels", "loss cross-entropy", "quantizer bilevel"])
  })

  it("are those of the run's own extensions", () => {
    const raised = { ...builtIn, quantizers: [{ ...bilevelQuantizer, version: 7 }] as never }
    assert.strictEqual(versionsOf("adaround-vit", shortStages.adaround, raised)["quantizer bilevel"], 7)
  })
})
