/** SPEED-Q's bilevel quantizer (fixtures/quantizers/bilevel-*), computed as the reference does, in float32. */
import {
  type BilevelAttributes,
  bilevelCodes,
  bilevelDecode,
  bilevelParameters,
  fakeQuantBilevel,
  multiply,
  sum,
  type Tensor,
  transpose,
  valueAndGrad
} from "@speedq/tensors"
import type { Check } from "../Check.ts"
import { compare, compareExactly } from "../compare.ts"

const near = { relative: 1e-5, absolute: 1e-6 }

export const bilevelCheck: Check = {
  matches: /quantizers\/bilevel-/,
  run: async (fixture, backend) => {
    const attributes: BilevelAttributes = {
      bits: fixture.number("bits"),
      group: fixture.number("group"),
      scaleGroup: fixture.number("scale_group"),
      secondLevel: "f32",
      commonScale: "reference",
      arithmetic: "f32"
    }
    const read = (tensor: Tensor) => tensor.read()
    const weight = fixture.load(backend, "weight")
    const { scale, zero } = bilevelParameters(weight, attributes)
    const codes = bilevelCodes(weight, attributes)
    const dy = fixture.load(backend, "grad_output")
    const { gradients } = valueAndGrad(({ w }: { readonly w: Tensor }) => ({
      loss: sum(multiply(fakeQuantBilevel(w, attributes), dy)),
      auxiliary: undefined
    }))({ w: weight })
    const asFloat = async (tensor: Tensor) => {
      const values = Float32Array.from(await tensor.read())
      const [groups, rows] = tensor.shape as readonly [number, number]
      return Float32Array.from(values, (_, i) => values[(i % groups) * rows + Math.floor(i / groups)]!)
    }
    const dequantized = await read(fakeQuantBilevel(weight, attributes))
    return [
      compareExactly("codes", await read(codes.codes), fixture.numbers("codes")),
      compareExactly("scale_codes", await asFloat(codes.scaleCodes), fixture.numbers("scale_codes")),
      compareExactly("zero", await read(transpose(zero)), fixture.numbers("zero")),
      compareExactly("decoded", await read(bilevelDecode(codes, attributes)), dequantized),
      compare("scale", await read(transpose(scale)), fixture.numbers("scale"), near),
      compare("scale_scale", await read(codes.step), fixture.numbers("scale_scale"), near),
      compare("scale_zero", await read(codes.origin), fixture.numbers("scale_zero"), near),
      compare("dequantized", dequantized, fixture.numbers("dequantized"), near),
      compareExactly("grad_weight", await read(gradients.w), fixture.numbers("grad_weight"))
    ]
  }
}
