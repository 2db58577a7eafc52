/** The single-level quantizers (fixtures/quantizers/uniform-asym-*, int2-asym-*, int3-asym-*, n2f3-*, embedding-sym4-*). */
import { embeddingSym4, flatAsymmetric, n2f3, type QuantizerChoice } from "@speedq/quantizers"
import { type Backend, multiply, sum, type Tensor, uniformParameters, valueAndGrad } from "@speedq/tensors"
import type { Check } from "../Check.ts"
import { type Comparison, compare, compareExactly } from "../compare.ts"
import type { Fixture } from "../Fixture.ts"

const near = { relative: 1e-5, absolute: 1e-6 }

/** Fake quantization, the way through codes, and the gradient of a quantizer that trains. */
const trained = async (fixture: Fixture, backend: Backend, choice: QuantizerChoice): Promise<readonly Comparison[]> => {
  const { quantizer, config } = choice
  const weight = fixture.load(backend, "weight")
  const dy = fixture.load(backend, "grad_output")
  const { gradients, auxiliary } = valueAndGrad(({ w }: { readonly w: Tensor }) => {
    const y = quantizer.fakeQuantize(config, w)
    return { loss: sum(multiply(y, dy)), auxiliary: y }
  })({ w: weight })
  const y = await auxiliary.read()
  const decoded = quantizer.dequantize(config, quantizer.quantize(config, weight), weight.shape)
  return [
    compare("dequantized", y, fixture.numbers("dequantized"), near),
    compareExactly("decoded", await decoded.read(), y),
    compare("grad_weight", await gradients.w.read(), fixture.numbers("grad_weight"), near)
  ]
}

const groupOf = (fixture: Fixture): number => fixture.number("group")

export const flatCheck: Check = {
  matches: /quantizers\/int[23]-asym-/,
  run: (fixture, backend) =>
    trained(fixture, backend, flatAsymmetric(fixture.meta["op"] === "int2-asym" ? 2 : 3, { group: groupOf(fixture) }))
}

export const n2f3Check: Check = {
  matches: /quantizers\/n2f3-/,
  run: (fixture, backend) => trained(fixture, backend, n2f3({ group: groupOf(fixture) }))
}

export const uniformCheck: Check = {
  matches: /quantizers\/uniform-asym-/,
  run: async (fixture, backend) => {
    const { y, scale, zero } = uniformParameters(fixture.load(backend, "weight"), {
      bits: fixture.number("bits"),
      group: groupOf(fixture),
      symmetric: false,
      rounding: "nearestThenZero",
      roundZero: true,
      rangeGradient: false
    })
    return [
      compare("dequantized", await y.read(), fixture.numbers("dequantized"), near),
      compare("scale", await scale.read(), fixture.numbers("scale"), near),
      compareExactly("zero", await zero.read(), fixture.numbers("zero"))
    ]
  }
}

export const embeddingCheck: Check = {
  matches: /quantizers\/embedding-sym4-/,
  run: async (fixture, backend) => {
    const { quantizer, config } = embeddingSym4({ group: groupOf(fixture), scale: "f32" })
    const weight = fixture.load(backend, "weight")
    const quantized = quantizer.quantize(config, weight)
    return [
      compareExactly("codes", await quantized["codes"]!.read(), fixture.numbers("codes")),
      compare("scale", await quantized["scale"]!.read(), fixture.numbers("scale"), near),
      compare("dequantized", await quantizer.fakeQuantize(config, weight).read(), fixture.numbers("dequantized"), near)
    ]
  }
}
