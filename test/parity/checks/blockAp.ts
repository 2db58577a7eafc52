/** Block-AP on a small decoder layer: first gradients, losses, and what is trained after all steps (fixtures/train/block-ap). */
import { type Block, initialTraining, makeLayerGrids, trainingStep } from "@speedq/adaround"
import { uniform } from "@speedq/quantizers"
import { noGrad, type Parameters, Random, type Tensor, tensor } from "@speedq/tensors"
import { decoderLayer, decoderLayerName, type LanguageConfig, weightsFrom } from "@speedq/vlm-model"
import type { Check } from "../Check.ts"
import { type Comparison, compare, compareShare } from "../compare.ts"
import type { Fixture } from "../Fixture.ts"

const linears = [
  ...["q", "k", "v", "o"].map((part) => `self_attn.${part}_proj`),
  ...["gate", "up", "down"].map((part) => `mlp.${part}_proj`)
]
const others = [
  ...["q", "k", "v"].map((part) => `self_attn.${part}_proj.bias`),
  ...["input_layernorm", "post_attention_layernorm"].map((norm) => `${norm}.weight`)
]
const parts = ["weight", "scale", "zero"] as const

const read = async (tensor: Tensor) => (await tensor.read()) as Float32Array

const languageOf = ({ number }: Fixture): LanguageConfig => ({
  model_type: "qwen2",
  hidden_size: number("hidden_size"),
  num_hidden_layers: 1,
  num_attention_heads: number("num_attention_heads"),
  num_key_value_heads: number("num_key_value_heads"),
  intermediate_size: number("intermediate_size"),
  hidden_act: "silu",
  use_sliding_window: false,
  vocab_size: 2,
  rms_norm_eps: number("rms_norm_eps"),
  rope_theta: number("rope_theta"),
  max_position_embeddings: 64,
  tie_word_embeddings: false
})

export const blockApCheck: Check = {
  matches: /train\/block-ap/,
  run: async (fixture, backend) => {
    const { number } = fixture
    const load = (name: string) => fixture.load(backend, name)
    const layer = decoderLayerName(0)
    const choice = uniform({ bits: number("bits") as 2, group: number("group") })
    const choices = new Map(linears.map((name) => [name, choice] as const))
    const language = languageOf(fixture)
    const frozen: Parameters = Object.fromEntries(others.map((name) => [`${layer}.${name}`, load(name)]))
    const [batch, length] = fixture.shape("inputs") as readonly [number, number, number]
    const places = Int32Array.from({ length: batch * length }, (_, at) => at % length)
    const block: Block = {
      name: "fixture",
      grids: await makeLayerGrids(
        "fixture",
        Object.fromEntries(linears.map((name) => [name, { weight: load(`${name}.weight`), choice }]))
      ),
      forward: (weights, x) => {
        const matrices = Object.fromEntries(
          Object.entries(weights).map(([name, weight]) => [`${layer}.${name}.weight`, weight])
        )
        const positions = { ids: tensor(backend, places, [batch, length], "i32") }
        return decoderLayer(weightsFrom(matrices, frozen), language, 0, x, positions)
      }
    }
    const samples = { inputs: load("inputs"), targets: load("targets"), rows: load("rows") }
    const iterations = number("steps")
    const options = { iterations, learningRate: () => number("weight_rate"), gridRate: number("grid_rate") }
    const comparisons: Comparison[] = []
    const losses: number[] = []
    let state = noGrad(() => initialTraining(block, choices, Random.make(0)))
    for (let step = 0; step < iterations; step++) {
      const result = trainingStep(block, choices, state, samples, options)
      state = result.state
      losses.push(await result.losses.reconstruction.item())
      if (step > 0) continue
      for (const name of linears) {
        for (const part of parts) {
          // Adam's first mean is a tenth of the first gradient.
          const gradient = (await read(state.layers[name]![`m.${part}`]!)).map((m) => 10 * m)
          const expected = fixture.numbers(`grad.${part}.${name}`)
          comparisons.push(compare(`grad ${part} ${name}`, gradient, expected, { relative: 1e-3, absolute: 1e-6 }))
        }
      }
    }
    comparisons.push(compare("losses", losses, fixture.numbers("losses"), { relative: 1e-4, absolute: 0 }))
    for (const name of linears) {
      for (const part of parts) {
        const actual = await read(state.layers[name]![part]!)
        const expected = fixture.numbers(`final.${part}.${name}`)
        comparisons.push(compareShare(`${part} ${name}`, actual, expected, { relative: 1e-3, absolute: 1e-5 }, 0.99))
      }
    }
    return comparisons
  }
}
