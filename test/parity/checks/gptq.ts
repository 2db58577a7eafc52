/** GPTQ of a Linear (fixtures/quantizers/gptq-*; docs/method.md, "GPTQ"). */
import {
  collectHessians,
  type GptqSettings,
  gptqFactor,
  gptqWeight,
  type QuantizerChoice,
  uniform
} from "@speedq/quantizers"
import type { Tensor } from "@speedq/tensors"
import type { Check } from "../Check.ts"
import { compare, compareShare } from "../compare.ts"
import type { Fixture } from "../Fixture.ts"

const near = { relative: 1e-5, absolute: 1e-7 }

/** Weights of the tokens: all 1 where a fixture has none. */
const tokenWeights = (fixture: Fixture): Float64Array | undefined =>
  fixture.names.includes("token_weights") ? Float64Array.from(fixture.numbers("token_weights")) : undefined

/** mean over tokens and outputs of c (x . (q - w))^2 for the weight [N, K] that codes stand for, c the weight of the token. */
const errorOf = (fixture: Fixture, values: ArrayLike<number>): number => {
  const [weight, inputs] = [fixture.numbers("weight"), fixture.numbers("inputs")]
  const [rows, columns] = fixture.shape("weight") as readonly [number, number]
  const tokens = fixture.shape("inputs")[0]!
  const counts = tokenWeights(fixture)
  let sum = 0
  for (let token = 0; token < tokens; token++) {
    for (let row = 0; row < rows; row++) {
      let change = 0
      for (let i = 0; i < columns; i++) {
        change += inputs[token * columns + i]! * (values[row * columns + i]! - weight[row * columns + i]!)
      }
      sum += (counts?.[token] ?? 1) * change ** 2
    }
  }
  return sum / (tokens * rows)
}

export const gptqCheck: Check = {
  matches: /quantizers\/gptq-/,
  run: async (fixture, backend) => {
    const settings: GptqSettings = {
      damping: fixture.number("damping"),
      actOrder: fixture.number("act_order") === 1,
      staticGroups: fixture.number("static_groups") === 1
    }
    const bits = fixture.number("bits") as 2 | 3 | 4
    const choice = uniform({ bits, group: fixture.number("group"), scale: "f32" }) as QuantizerChoice
    const counts = tokenWeights(fixture)
    const rowFactors = counts && Float32Array.from(counts, Math.sqrt)
    const collector = collectHessians(
      () => true,
      () => rowFactors
    )
    collector.observe(fixture.name, fixture.load(backend, "inputs"))
    const { sum } = collector.sums.get(fixture.name)!
    const factor = gptqFactor(fixture.name, (await sum.read()) as Float32Array, sum.shape[0]!, settings)
    const weight = fixture.load(backend, "weight")
    const stored = await gptqWeight(choice, weight, factor, settings)
    const values = await choice.quantizer.dequantize(choice.config, stored, weight.shape).read()
    collector.release()
    // Sums in another order may tip a weight that lies halfway between two codes, and with it grids that are found later.
    const alike = async (name: string, of: Tensor) =>
      compareShare(name, await of.read(), fixture.numbers(name), near, 0.995)
    return [
      await alike("codes", stored["codes"]!),
      await alike("scale", stored["scale"]!),
      await alike("zero", stored["zeros"]!),
      compare("error", [errorOf(fixture, values)], [fixture.number("error")], { relative: 1e-3, absolute: 0 })
    ]
  }
}
