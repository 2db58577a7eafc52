/** Rules over layers: patterns, first match, towers, kinds, and what is refused before any work. */
import fc from "fast-check"
import { assert, describe, it } from "vitest"
import {
  bilevel,
  compilePattern,
  decodeRules,
  embeddingSym4,
  type Layer,
  mixQuant,
  n2f3,
  none,
  planLayers,
  planRows,
  type Rule,
  renderPlan,
  uniform
} from "../src/index.ts"
import { raisedBy } from "./support/raisedBy.ts"

const two = bilevel({ bits: 2, group: 16, scaleGroup: 16 })
const four = bilevel({ bits: 4, group: 32, scaleGroup: 16 })

const linear = (name: string, tower: string, shape: readonly number[] = [64, 96]): Layer => ({
  name,
  shape,
  kind: "linear",
  tower
})
const decoder = ["q_proj", "k_proj", "v_proj", "o_proj"].map((name) => `self_attn.${name}`)
const feedForward = ["gate_proj", "up_proj", "down_proj"].map((name) => `mlp.${name}`)
const layers: readonly Layer[] = [
  ...["attn.qkv", "mlp.fc1"].map((name) => linear(`vision_model.encoder.layers.0.${name}`, "vision")),
  linear("mlp1.1", "projector"),
  ...[0, 1].flatMap((index) =>
    [...decoder, ...feedForward].map((name) => linear(`language_model.model.layers.${index}.${name}`, "language"))
  ),
  { name: "language_model.model.embed_tokens", shape: [160, 64], kind: "embedding", tower: "language" },
  { name: "language_model.lm_head", shape: [160, 64], kind: "embedding", tower: "language" }
]

const plan = (rules: readonly Rule[], over: readonly Layer[] = layers) => planLayers(rules, over)
const chosen = (rules: readonly Rule[], name: string) => plan(rules).layers.find((layer) => layer.name === name)?.choice

describe("patterns", () => {
  it.each([
    { match: "**.down_proj", yes: ["a.b.down_proj", "down_proj"], no: ["a.down_proj.b", "a.xdown_proj"] },
    { match: "language_model.**", yes: ["language_model.a.b"], no: ["language_modelx.a", "x.language_model.a"] },
    { match: "*.layers.*.mlp", yes: ["a.layers.0.mlp"], no: ["a.b.layers.0.mlp", "a.layers.0.1.mlp"] },
    { match: "a.**.z", yes: ["a.z", "a.b.z", "a.b.c.z"], no: ["az", "a.bz"] },
    { match: "**", yes: ["", "a", "a.b"], no: [] },
    { match: "a+(b)[c].d", yes: ["a+(b)[c].d"], no: ["aab.d", "a+(b)[c]xd"] },
    { match: "/q_proj$/", yes: ["a.q_proj"], no: ["a.q_proj.b"] },
    { match: "/LAYERS\\.1\\./i", yes: ["a.layers.1.b"], no: ["a.layers.11.b"] }
  ])("$match", ({ match, yes, no }) => {
    const matches = compilePattern(match)
    for (const name of yes) assert.isTrue(matches(name), name)
    for (const name of no) assert.isFalse(matches(name), name)
  })

  it("a name without special characters matches itself and nothing else", () => {
    const name = fc.stringMatching(/^[a-z0-9_+$^()[\]{}|\\.]{1,12}$/)
    fc.assert(
      fc.property(name, name, (pattern, other) => {
        fc.pre(!pattern.startsWith("/"))
        assert.isTrue(compilePattern(pattern)(pattern))
        assert.strictEqual(compilePattern(pattern)(other), pattern === other)
      }),
      { seed: 37 }
    )
  })

  it("keep no memory, whatever flags a regular expression has", () => {
    const matches = compilePattern("/q_proj/gy".replace("/q", "/a.q"))
    assert.deepEqual(
      [1, 2, 3].map(() => matches("a.q_proj")),
      [true, true, true]
    )
  })

  it.each(["/(/", "/a/x", "/(?=a)/", "/(a)\\1/", "/(a{1000}){1000}/"])("%s is refused", (match) => {
    const { _tag, message } = raisedBy(() => compilePattern(match))
    assert.strictEqual(_tag, "PatternInvalid")
    assert.include(message, `"${match}"`)
  })

  // An engine that tries one way after another takes longer than the test may.
  it.each(["/^([a-z._0-9]+)+!$/", `${"*a".repeat(16)}!`, `${"**.a.".repeat(16)}!`])(
    "%s takes no long time",
    (match) => {
      const matches = compilePattern(match)
      assert.isFalse(matches("language_model.".repeat(200)))
      assert.isFalse(matches("a.".repeat(2000)))
    }
  )
})

describe("rules", () => {
  it("decide by the first that matches", () => {
    const rules = [
      { match: "**.down_proj", choice: four },
      { match: "language_model.**", choice: two }
    ]
    assert.strictEqual(chosen(rules, "language_model.model.layers.1.mlp.down_proj"), four)
    assert.strictEqual(chosen(rules, "language_model.model.layers.1.mlp.up_proj"), two)
    assert.isUndefined(chosen(rules, "mlp1.1"))
    const { layers: planned, unmatched } = plan(rules)
    assert.deepEqual(
      unmatched.map(({ name }) => name),
      layers.flatMap(({ name, kind, tower }) => (kind === "linear" && tower === "language" ? [] : [name]))
    )
    assert.deepEqual(new Set(planned.map(({ rule }) => rule)), new Set([0, 1]))
  })

  it("keep to their tower, and to Linears unless they ask for embeddings", () => {
    const rules: readonly Rule[] = [
      { match: "**", tower: "vision", choice: four },
      { match: "**", layers: "embedding", choice: embeddingSym4() },
      { match: "**", choice: two }
    ]
    const towersOf = (index: number) => [
      ...new Set(plan(rules).layers.flatMap(({ rule, tower, kind }) => (rule === index ? [`${tower} ${kind}`] : [])))
    ]
    assert.deepEqual([0, 1, 2].map(towersOf), [
      ["vision linear"],
      ["language embedding"],
      ["projector linear", "language linear"]
    ])
  })

  it("write the reference's mix_quant as one set", () => {
    const rules = decodeRules(mixQuant({ bits: 2, group: 16, scaleGroup: 16 }))
    const { layers: planned } = plan(rules)
    assert.lengthOf(planned, 14)
    for (const { name, choice } of planned) {
      const narrow = /gate_proj|up_proj/.test(name)
      assert.deepEqual(choice, narrow ? two : four, name)
    }
  })

  it("come from JSON with defaults, quirks of the reference, or a user's own quantizer", () => {
    const specs = [
      { match: "**.down_proj", tower: "language", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16 } },
      { match: "**", layers: "embedding", use: "embedding-sym4" },
      { match: "**", use: "none" }
    ] as const
    const [careful] = decodeRules(specs)
    assert.deepInclude(careful, { match: "**.down_proj", tower: "language" })
    assert.deepEqual(careful!.choice.config, two.config)
    const [bilevelRule, embeddingRule, noneRule] = decodeRules(specs, { compat: "reference" })
    assert.deepInclude(bilevelRule!.choice.config, { secondLevel: "f32", commonScale: "reference", arithmetic: "bf16" })
    assert.deepInclude(embeddingRule!.choice.config, { requantizePasses: 3, grid: "reference" })
    assert.strictEqual(embeddingRule!.layers, "embedding")
    assert.deepEqual(noneRule!.choice.config, none.config)
    assert.deepEqual(noneRule!.choice.quantizer, none.quantizer)
    const own = { ...n2f3().quantizer, id: "mine" }
    assert.strictEqual(decodeRules([{ match: "**", use: "mine" }], { known: [own] })[0]!.choice.quantizer, own)
  })

  it("let what a recipe says stand before the reference's quirk", () => {
    const spec = { match: "**", use: "bilevel", with: { bits: 2, group: 16, scaleGroup: 16, arithmetic: "f32" } }
    const [rule] = decodeRules([spec], { compat: "reference" })
    assert.deepInclude(rule!.choice.config, { arithmetic: "f32", secondLevel: "f32" })
  })
})

describe("refused before any work", () => {
  it("a rule that matches nothing, with layers that it could have meant", () => {
    const { _tag, message } = raisedBy(() => plan([{ match: "**.dwon_proj", tower: "vision", choice: two }]))
    assert.strictEqual(_tag, "RuleUnused")
    assert.include(
      message,
      'rule 0 ("**.dwon_proj") matches no layer; the model has vision_model.encoder.layers.0.attn.qkv'
    )
  })

  it("a rule that earlier rules leave nothing", () => {
    const rules = [
      { match: "**", choice: two },
      { match: "**.down_proj", choice: four }
    ]
    const { _tag, message } = raisedBy(() => plan(rules))
    assert.strictEqual(_tag, "RuleUnused")
    assert.include(message, 'rule 1 ("**.down_proj") decides nothing: rule 0 comes first and takes all 2 layers')
  })

  it("a rule for a kind of layer that the model does not have", () => {
    const linears = layers.filter(({ kind }) => kind === "linear")
    const rules: readonly Rule[] = [{ match: "**", layers: "embedding", choice: embeddingSym4() }]
    assert.include(
      raisedBy(() => plan(rules, linears)).message,
      'rule 0 ("**") matches no layer; it is for embedding layers, and those decided here are vision linear, '
    )
    const vision = linears.filter(({ tower }) => tower === "vision")
    assert.include(
      raisedBy(() => plan([{ match: "**", tower: "language", choice: two }], vision)).message,
      "it is for language linear layers, and those decided here are vision linear layers"
    )
  })

  it("widths that a group does not divide, all of them at once", () => {
    const odd = [linear("a", "language", [64, 90]), linear("b", "language"), linear("c", "language", [10, 96])]
    const { _tag, message } = raisedBy(() => plan([{ match: "**", choice: two }], odd))
    assert.strictEqual(_tag, "GroupSizeIndivisible")
    assert.include(message, "2 layers")
    assert.include(message, "a [64, 90]: 90 input columns are not a multiple of group 16")
    assert.include(message, "c [10, 96]: 6 groups of 10 rows are not a multiple of scaleGroup 16")
    assert.notInclude(message, "b [")
  })

  it.each([uniform({ bits: 2, group: 7 }), n2f3({ group: 7 }), embeddingSym4({ group: 7 })])(
    "by $quantizer.id too",
    (choice) => {
      const { _tag } = raisedBy(() => plan([{ match: "**", tower: "vision", choice }]))
      assert.strictEqual(_tag, "GroupSizeIndivisible")
    }
  )
})

describe("a plan", () => {
  const rules: readonly Rule[] = [
    { match: "**.down_proj", choice: four },
    { match: "language_model.**", choice: two },
    { match: "**", layers: "embedding", choice: embeddingSym4() }
  ]
  const rows = planRows(plan(rules), rules)

  it("is plain JSON with a row a layer: rule, quantizer, options, bits, bytes", () => {
    assert.lengthOf(rows, layers.length)
    assert.deepEqual(JSON.parse(JSON.stringify(rows)), rows)
    const row = rows.find(({ layer }) => layer.endsWith("layers.1.mlp.down_proj"))!
    assert.deepInclude(row, { rule: 0, match: "**.down_proj", quantizer: "bilevel", bitsPerWeight: 4.3125 })
    assert.strictEqual(row.bytes, (64 * 96 * 4.3125) / 8)
    const plain = rows.find(({ layer }) => layer === "mlp1.1")!
    assert.deepInclude(plain, { rule: null, quantizer: null, bitsPerWeight: 16, bytes: 2 * 64 * 96 })
  })

  it("is a table with a line for the layers of all blocks that are alike, and a sum", () => {
    const lines = renderPlan(rows).split("\n")
    const down = rows.filter(({ layer }) => layer.endsWith(".mlp.down_proj"))
    const line = lines.find((text) => text.includes(".mlp.down_proj"))!
    assert.match(line, new RegExp(`^language_model.model.layers.0-${down.length - 1}.mlp.down_proj +${down.length} `))
    assert.match(line, new RegExp(` 4\\.3125 +${down.length * 3312}$`))
    const counts = lines.slice(1, -1).map((text) => Number(/^\S+ +(\d+)/.exec(text)![1]))
    assert.strictEqual(
      counts.reduce((sum, count) => sum + count, 0),
      rows.length
    )
    const sum = (text: string) => text.split("\n").at(-1)!.split(/ +/)
    assert.deepEqual(sum(renderPlan(rows)), sum(renderPlan(rows, { each: true })))
  })

  it("tells blocks apart that are quantized otherwise", () => {
    const row = rows.find(({ layer }) => layer.endsWith(".mlp.down_proj"))!
    const blocks = [5, 0, 1, 2, 3, 10].map((block) => ({
      ...row,
      layer: `layers.${block}.mlp.down_proj`,
      bitsPerWeight: block === 1 ? 2 : 4
    }))
    const lines = renderPlan(blocks).split("\n").slice(1, -1)
    assert.deepEqual(
      lines.map((line) => line.split(/ +/).slice(0, 2)),
      [
        ["layers.0,2-3,5,10.mlp.down_proj", "5"],
        ["layers.1.mlp.down_proj", "1"]
      ]
    )
  })

  it("is a table with a line a layer where each is asked for", () => {
    const lines = renderPlan(rows, { each: true }).split("\n")
    assert.lengthOf(lines, rows.length + 2)
    assert.match(lines[0]!, /^layer +layers +shape +rule +quantizer +bits\/weight +bytes$/)
    const line = lines.find((text) => text.startsWith("language_model.model.layers.1.mlp.down_proj"))!
    assert.include(line, "0 **.down_proj")
    assert.include(line, "bilevel bits=4 group=32 scaleGroup=16")
    assert.match(line, / 4\.3125 +3312$/)
    assert.match(lines.find((text) => text.startsWith("mlp1.1"))!, / - +stays +16 +12288$/)
    assert.match(
      lines.at(-1)!,
      new RegExp(`^all +${rows.length} .* ${rows.reduce((sum, { bytes }) => sum + bytes, 0)}$`)
    )
  })

  it("of nothing is a header and a sum", () => {
    assert.lengthOf(renderPlan([]).split("\n"), 2)
  })
})
