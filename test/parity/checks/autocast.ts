/**
 * Products, attention and a network in bf16 beside torch.autocast (fixtures/autocast, autocast-*). Autocast rounds what it computes
 * to bf16, gradients too, where this computes in f32: results are compared once they are rounded alike, and as all factors are the
 * same, nearly all of them are equal: 99 %, of attention 90 %, whose exponentials differ in their last bits; in f32 it is half of them.
 * Through a network autocast's roundings add up to more than what tells bf16 from f32, 6 % of the norm of a gradient at most.
 */
import {
  attention,
  type Backend,
  fromBfloat16,
  linear,
  multiply,
  noGrad,
  type Parameters,
  sum,
  type Tensor,
  toBfloat16,
  valueAndGrad
} from "@speedq/tensors"
import type { Check } from "../Check.ts"
import { type Comparison, compare, compareNorm, compareShare } from "../compare.ts"
import type { Fixture } from "../Fixture.ts"
import { forwardResults } from "./forward.ts"

const rounded = (values: ArrayLike<number>): number[] => Array.from(values, (value) => fromBfloat16(toBfloat16(value)))
const same = { relative: 0, absolute: 0 }

/** Gradients of sum(body(parameters) grad_output), and the output. */
const outputAndGradients = async (
  fixture: Fixture,
  backend: Backend,
  names: readonly string[],
  body: (parameters: Parameters) => Tensor
) => {
  const parameters = Object.fromEntries(names.map((name) => [name, fixture.load(backend, name)]))
  const downstream = fixture.load(backend, "grad_output")
  const loss = (all: Parameters) => ({ loss: sum(multiply(body(all), downstream)), auxiliary: {} })
  const { gradients } = valueAndGrad(loss)(parameters)
  const output = noGrad(() => body(parameters))
  const read = async (tensor: Tensor) => (await tensor.read()) as Float32Array
  return {
    output: await read(output),
    gradient: async (name: string) => read(gradients[name]!)
  }
}

export const autocastLinearCheck: Check = {
  matches: /autocast\/linear/,
  arithmetic: "bf16",
  run: async (fixture, backend) => {
    const equal = (what: string, actual: ArrayLike<number>): Comparison =>
      compareShare(what, rounded(actual), fixture.numbers(what), same, 0.99)
    const { output, gradient } = await outputAndGradients(fixture, backend, ["x", "weight", "bias"], (all) =>
      linear(all["x"]!, all["weight"]!, all["bias"])
    )
    const [x, weight] = [fixture.load(backend, "x"), fixture.load(backend, "weight")]
    const product = (await noGrad(() => linear(x, weight)).read()) as Float32Array
    return [
      equal("product", product),
      equal("grad_x", await gradient("x")),
      equal("grad_weight", await gradient("weight")),
      compare("output", output, fixture.numbers("output"), { relative: 2 ** -8, absolute: 2 ** -8 }),
      // Sums of gradients that autocast has rounded.
      compare("grad_bias", await gradient("bias"), fixture.numbers("grad_bias"), {
        relative: 2 ** -7,
        absolute: 2 ** -5
      })
    ]
  }
}

export const autocastAttentionCheck: Check = {
  matches: /autocast\/attention/,
  arithmetic: "bf16",
  run: async (fixture, backend) => {
    const causal = fixture.meta["causal"] === "true"
    const { output, gradient } = await outputAndGradients(fixture, backend, ["q", "k", "v"], ({ q, k, v }) =>
      attention(q!, k!, v!, { causal })
    )
    const gradients = ["q", "k", "v"].map(async (name) =>
      compareNorm(`grad_${name}`, await gradient(name), fixture.numbers(`grad_${name}`), 4e-3)
    )
    return [
      compareShare("output", rounded(output), fixture.numbers("output"), same, 0.9),
      ...(await Promise.all(gradients))
    ]
  }
}

export const autocastNetworkCheck: Check = {
  matches: /internvl3_5\/autocast-/,
  arithmetic: "bf16",
  run: async (fixture, backend) =>
    (await forwardResults(fixture, backend)).map(({ what, actual, expected }) =>
      compareNorm(what, actual, expected, 6e-2)
    )
}
