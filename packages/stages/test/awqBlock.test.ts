/** AWQ of a decoder layer against what PyTorch computed (fixtures/awq/makeDecoderLayer.py). */
import { fileURLToPath } from "node:url"
import { packedWeights, releasePacked, releaseParameters } from "@speedq/exports"
import { type QuantizerChoice, type RowFactors, uniform } from "@speedq/quantizers"
import { openBackend } from "@speedq/tensors"
import { decoderLayerName, type LanguageConfig, type Weights, weightsFrom } from "@speedq/vlm-model"
import { assert, describe, it } from "vitest"
import { type Fixture, readFixture } from "../../../test/parity/Fixture.ts"
import { awqBlock } from "../src/awq/awqBlock.ts"
import { passLayer, type Sequences } from "../src/calibration/sequences.ts"
import { rowFactorsOf } from "../src/posttraining/modalityWeights.ts"

const fixtureOf = (name: string): Fixture =>
  readFixture(fileURLToPath(new URL(`fixtures/awq/${name}.safetensors`, import.meta.url)))
const fixture = fixtureOf("decoderLayer")
/** Its tokens count by modality and branch, the first of each sequence being those of a picture. */
const weighted = fixtureOf("weightedLayer")
const linears = ["q", "k", "v", "o"]
  .map((name) => `self_attn.${name}_proj`)
  .concat(["gate", "up", "down"].map((name) => `mlp.${name}_proj`))
const language = {
  model_type: "qwen2",
  hidden_size: 32,
  intermediate_size: 48,
  num_attention_heads: 4,
  num_key_value_heads: 4,
  num_hidden_layers: 1,
  rms_norm_eps: 1e-6,
  rope_theta: 1e6
} as LanguageConfig
const settings = { steps: 20, clip: true, gridSize: 20, maxShrink: 0.5 }
const bits = fixture.number("bits") as 4
const choice = uniform({ bits, group: fixture.number("group"), scale: "f32" }) as QuantizerChoice
const block = { tower: "language", index: 0, name: decoderLayerName(0) } as const
const backend = await openBackend("native")

const parametersOf = (set: string) =>
  Object.fromEntries(
    fixture.names
      .filter((name) => name.startsWith(`${set}.`))
      .map((name) => [`${block.name}.${name.slice(set.length + 1)}`, fixture.load(backend, name)] as const)
  )
const original = parametersOf("original")

const length = fixture.number("length")
const sequencesOf = (of: Fixture): Sequences => {
  const hidden = of.load(backend, "hidden")
  const rows = hidden.shape[0]!
  const visual = Uint8Array.from({ length: rows }, (_, row) => Number(row % length < of.number("picture")))
  return { hidden, lengths: Array.from({ length: rows / length }, () => length), visual }
}
const sequences = sequencesOf(fixture)

const run = (
  chosen: readonly string[],
  quantizer: QuantizerChoice,
  sequences: Sequences = sequencesOf(fixture),
  rowFactors?: RowFactors
) => {
  const choices = new Map(chosen.map((name) => [`${block.name}.${name}`, quantizer] as const))
  const inputs = {
    observe: (_: unknown, weights: Weights) => passLayer(weights, language, 0, sequences).release(),
    sequences: () => sequences
  }
  return awqBlock({ block, choices, weights: weightsFrom(original), inputs, rowFactors }, language, settings)
}

/** Layers whose outputs are looked at, and how often, by the Linear that each begins with. */
const passesOf = async (chosen: readonly string[]) => {
  const passes = { query: 0, gate: 0 }
  const names = { [`${block.name}.self_attn.q_proj.weight`]: "query", [`${block.name}.mlp.gate_proj.weight`]: "gate" }
  const plain = weightsFrom(original)
  const counting: Weights = {
    ...plain,
    observe: (layer) => {
      const name = names[`${layer}.weight`] as keyof typeof passes | undefined
      if (name !== undefined) passes[name]++
    }
  }
  const inputs = {
    // What collects moments is not what is counted.
    observe: (_: unknown, weights: Weights) => passLayer(weights, language, 0, sequences).release(),
    sequences: () => sequences
  }
  const choices = new Map(chosen.map((name) => [`${block.name}.${name}`, choice] as const))
  const { packed, parameters } = await awqBlock({ block, choices, weights: counting, inputs }, language, settings)
  releasePacked(packed)
  releaseParameters(parameters)
  return passes
}

/** Share of the numbers that are near the expected ones. */
const shareNear = (actual: ArrayLike<number>, expected: ArrayLike<number>): number =>
  Array.from(actual).filter((value, i) => Math.abs(value - expected[i]!) <= 1e-5 + 1e-4 * Math.abs(expected[i]!))
    .length / expected.length

describe("AWQ of a decoder layer", () => {
  it("gives the weights, norms and biases that PyTorch gives", async () => {
    const { packed, parameters, rows } = await run(linears, choice)
    assert.sameMembers(
      [...packed.keys()],
      linears.map((name) => `${block.name}.${name}`)
    )
    for (const [layer, weight] of packed) {
      const expected = fixture.numbers(`awq.${layer.slice(block.name.length + 1)}.weight`)
      // A weight halfway between two codes, or two ranges that are as good, may go either way.
      assert.isAtLeast(shareNear(await weight.unpack().read(), expected), 0.99, layer)
    }
    assert.sameMembers(
      Object.keys(parameters),
      ["input_layernorm.weight", "post_attention_layernorm.weight", "self_attn.v_proj.bias"].map(
        (name) => `${block.name}.${name}`
      )
    )
    for (const [name, parameter] of Object.entries(parameters)) {
      const expected = fixture.numbers(`awq.${name.slice(block.name.length + 1)}`)
      assert.strictEqual(shareNear(await parameter.read(), expected), 1, name)
    }
    const total = (of: "nearest" | "quantized") => rows.reduce((sum, row) => sum + row[of], 0)
    assert.isBelow(total("quantized"), total("nearest"))
    releasePacked(packed)
    releaseParameters(parameters)
  })

  it("changes hardly any output at 8 bits: Linears that rules leave take their part of the scales", async () => {
    const eight = uniform({ bits: 8, group: 16, scale: "f32" }) as QuantizerChoice
    const { packed, parameters } = await run(["self_attn.q_proj", "mlp.gate_proj", "mlp.down_proj"], eight)
    const left = ["self_attn.k_proj", "self_attn.v_proj", "mlp.up_proj"].map((name) => `${block.name}.${name}.weight`)
    assert.includeMembers(Object.keys(parameters), left)
    const outputOf = async (weights: Weights) => {
      const output = passLayer(weights, language, 0, sequences)
      const values = Float64Array.from(await output.read())
      output.release()
      return values
    }
    const before = await outputOf(weightsFrom(original))
    const [after, without] = [
      await outputOf(packedWeights(packed, parameters, original)),
      await outputOf(packedWeights(packed, original))
    ]
    const size = (values: Float64Array) => Math.hypot(...values)
    const distance = (values: Float64Array) => size(values.map((value, i) => value - before[i]!)) / size(before)
    assert.isBelow(distance(after), 5e-3)
    assert.isAbove(distance(without), 0.1)
    releasePacked(packed)
    releaseParameters(parameters)
  })
})

describe("AWQ of a decoder layer whose tokens count by modality", () => {
  const shown = sequencesOf(weighted)
  /** Factors where vision and language have these weights in each branch. */
  const factorsOf = (weights: (branch: string) => ArrayLike<number>): RowFactors => {
    const pictures = shown.visual!.filter((isVisual) => isVisual).length
    const tokens = { vision: pictures, language: shown.visual!.length - pictures }
    const sensitivity = (branch: string) => ({ vision: weights(branch)[0]!, language: weights(branch)[1]! })
    const layers = [{ attention: sensitivity("attention"), mlp: sensitivity("mlp") }]
    return rowFactorsOf({ tokens, layers }, language, 0, shown)
  }
  const byFixture = factorsOf((branch) => weighted.numbers(`weights.${branch}`))

  it("gives the weights, norms and biases that PyTorch gives, and others than where tokens count alike", async () => {
    const plain = await run(linears, choice, shown)
    const { packed, parameters } = await run(linears, choice, shown, byFixture)
    for (const [layer, weight] of packed) {
      const name = layer.slice(block.name.length + 1)
      const expected = weighted.numbers(`awq.${name}.weight`)
      // Two ranges of a group of 16 that are as good may go either way: one group at most.
      assert.isAtLeast(shareNear(await weight.unpack().read(), expected), 0.98, layer)
      const changes = name.startsWith("mlp") || ["self_attn.o_proj", "self_attn.v_proj"].includes(name)
      if (changes) assert.isBelow(shareNear(await plain.packed.get(layer)!.unpack().read(), expected), 0.9, layer)
    }
    for (const [name, parameter] of Object.entries(parameters)) {
      const expected = weighted.numbers(`awq.${name.slice(block.name.length + 1)}`)
      assert.strictEqual(shareNear(await parameter.read(), expected), 1, name)
    }
    for (const made of [plain, { packed, parameters }]) {
      releasePacked(made.packed)
      releaseParameters(made.parameters)
    }
  })

  it("is to the bit what it is without weights where all are 1", async () => {
    const results = [
      await run(linears, choice, shown),
      await run(
        linears,
        choice,
        shown,
        factorsOf(() => [1, 1])
      )
    ]
    const [plain, ones] = results as [(typeof results)[number], (typeof results)[number]]
    for (const [layer, weight] of plain.packed) {
      assert.deepStrictEqual(await ones.packed.get(layer)!.unpack().read(), await weight.unpack().read(), layer)
    }
    for (const [name, parameter] of Object.entries(plain.parameters)) {
      assert.deepStrictEqual(await ones.parameters[name]!.read(), await parameter.read(), name)
    }
    assert.deepStrictEqual(ones.rows, plain.rows)
    for (const made of results) {
      releasePacked(made.packed)
      releaseParameters(made.parameters)
    }
  })
})

describe("the search for scales", () => {
  it("passes attention and MLP once as they are, and once for each exponent", async () => {
    const each = sequences.lengths.length * (1 + settings.steps)
    assert.deepStrictEqual(await passesOf(linears), { query: each, gate: each })
  })
})
