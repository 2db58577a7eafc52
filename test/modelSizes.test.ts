/**
 * Parameters and bytes of InternVL3-1B and 2B under the recipes' rules: the tables of docs/method.md,
 * "Parameters and bytes", to the decimal.
 */
import { readFileSync } from "node:fs"
import {
  bilevel,
  decodeRules,
  embeddingSym4,
  type Layer,
  mixQuant,
  planLayers,
  planRows,
  type QuantizerChoice,
  type Rule,
  renderPlan,
  sizeReport
} from "@speedq/quantizers"
import { embeddingAndHead, linearLayers, ModelConfig, modelTensors, parameterCount, towerOf } from "@speedq/vlm-model"
import * as Schema from "effect/Schema"
import { assert, describe, it } from "vitest"

const configOf = (name: string): ModelConfig =>
  Schema.decodeUnknownSync(ModelConfig)(JSON.parse(readFileSync(`configs/models/${name}.json`, "utf8")))

const layersOf = (config: ModelConfig): readonly Layer[] => [
  ...[...linearLayers(config)].map(([name, shape]): Layer => ({ name, shape, kind: "linear", tower: towerOf(name) })),
  ...embeddingAndHead(config.llm_config).map((name): Layer => {
    const shape = modelTensors(config).get(`${name}.weight`)!
    return { name, shape, kind: "embedding", tower: "language" }
  })
]

const two = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
const four = bilevel({ bits: 4, group: 32, scaleGroup: 128 })

const rulesOf = (language: QuantizerChoice, vision?: QuantizerChoice): readonly Rule[] => [
  { match: "**", layers: "embedding", choice: embeddingSym4() },
  { match: "**", tower: "language", choice: language },
  ...(vision ? [{ match: "**", tower: "vision", choice: vision }] : [])
]

/** Bytes in units of 1e6, by part; projector Linears stay in 16 bits and count as everything else. */
const megabytes = (config: ModelConfig, rules: readonly Rule[]) => {
  const { parts, total } = sizeReport(planLayers(rules, layersOf(config)), parameterCount(config))
  const of = (name: string) => parts.find((part) => part.name === name)?.bytes ?? 0
  return {
    embeddings: of("embeddings") / 1e6,
    language: of("language linears") / 1e6,
    vision: of("vision linears") / 1e6,
    other: (of("projector linears") + of("everything else")) / 1e6,
    total: total.bytes / 1e6,
    mebibytes: total.bytes / 2 ** 20
  }
}

const round = (value: number, decimals: number): number => Number(value.toFixed(decimals))

interface Expected {
  readonly name: string
  readonly parameters: number
  readonly tensors: number
  readonly whole: number
  readonly embeddings: number
  readonly language: readonly [two: number, four: number]
  readonly other: number
  readonly total: readonly [two: number, four: number]
  readonly mebibytes: readonly [two: number, four: number]
  readonly plainVision: readonly [two: number, four: number]
  readonly mixed: { readonly bits: number; readonly megabytes: number }
}

const table: readonly Expected[] = [
  {
    name: "internvl3-1b",
    parameters: 938_193_024,
    tensors: 637,
    whole: 1876.4,
    embeddings: 152.9,
    language: [111.8, 190.4],
    other: 13.15,
    total: [372.2, 517.2],
    mebibytes: [355.0, 493.3],
    plainVision: [881.8, 960.5],
    mixed: { bits: 3.253, megabytes: 145.5 }
  },
  {
    name: "internvl3-2b",
    parameters: 2_088_957_440,
    tensors: 685,
    whole: 4177.9,
    embeddings: 262.1,
    language: [409.4, 697.3],
    other: 21.66,
    total: [787.6, 1141.8],
    mebibytes: [751.1, 1088.9],
    plainVision: [1297.2, 1585.1],
    mixed: { bits: 3.246, megabytes: 531.7 }
  }
]

describe.each(table)("$name", (expected) => {
  const config = configOf(expected.name)

  it("has the parameters of the released model", () => {
    assert.strictEqual(parameterCount(config), expected.parameters)
    assert.strictEqual(modelTensors(config).size, expected.tensors)
    assert.strictEqual(round((2 * parameterCount(config)) / 1e6, 1), expected.whole)
  })

  it.each([
    { bits: 2, index: 0, choice: two, vision: 94.4 },
    { bits: 4, index: 1, choice: four, vision: 160.7 }
  ])("takes the bytes of the table at $bits bits", ({ index, choice, vision }) => {
    const size = megabytes(config, rulesOf(choice, choice))
    assert.strictEqual(round(size.embeddings, 1), expected.embeddings)
    assert.strictEqual(round(size.language, 1), expected.language[index])
    assert.strictEqual(round(size.vision, 1), vision)
    assert.strictEqual(round(size.other, 2), expected.other)
    assert.strictEqual(round(size.total, 1), expected.total[index])
    assert.strictEqual(round(size.mebibytes, 1), expected.mebibytes[index])
    const plain = megabytes(config, rulesOf(choice))
    assert.strictEqual(round(plain.vision, 1), 604.0)
    assert.strictEqual(round(plain.total, 1), expected.plainVision[index])
  })

  it("takes the bits of the table in mixed precision", () => {
    const language = layersOf(config).filter(({ kind, tower }) => kind === "linear" && tower === "language")
    const plan = planLayers(decodeRules(mixQuant({ bits: 2, group: 16, scaleGroup: 16 })), language)
    const weights = language.reduce((sum, { shape }) => sum + shape[0]! * shape[1]!, 0)
    const { total } = sizeReport(plan, weights)
    assert.strictEqual(round((8 * total.bytes) / weights, 3), expected.mixed.bits)
    assert.strictEqual(round(total.bytes / 1e6, 1), expected.mixed.megabytes)
  })

  it("is planned to the byte: what the container holds is what the report says", () => {
    const rules = rulesOf(two, two)
    const plan = planLayers(rules, layersOf(config))
    const bytes = plan.layers.reduce((sum, layer) => sum + layer.bytes, 0)
    const size = megabytes(config, rules)
    assert.strictEqual(bytes / 1e6, size.embeddings + size.language + size.vision)
    const lines = renderPlan(planRows(plan, rules), { each: true }).split("\n")
    assert.lengthOf(lines, layersOf(config).length + 2)
    assert.isTrue(lines.some((line) => line.startsWith("language_model.lm_head") && line.includes("embedding-sym4")))
  })
})

it("mixed precision gives the same parts of InternLM2 4 bits, whatever they are called", () => {
  const rules = decodeRules(mixQuant({ bits: 2, group: 16, scaleGroup: 16 }))
  const language = layersOf(configOf("internvl2_5-2b")).filter(
    ({ kind, tower }) => kind === "linear" && tower === "language"
  )
  const partsOf = (rule: number) =>
    planLayers(rules, language).layers.flatMap((layer) => {
      const [, part] = layer.name.split("layers.7.")
      return part !== undefined && layer.rule === rule ? [part] : []
    })
  assert.deepStrictEqual(partsOf(0), ["attention.wqkv", "attention.wo", "feed_forward.w2"])
  assert.deepStrictEqual(partsOf(1), ["feed_forward.w1", "feed_forward.w3"])
})
