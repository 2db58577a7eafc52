/** Quantizers against what PyTorch computed: codes, scales and values to the bit, gradients nearly. */
import {
  type Backend,
  type BilevelAttributes,
  bilevelCodes,
  bilevelParameters,
  cast,
  codebookParameters,
  fakeQuantBilevel,
  fakeQuantCodebook,
  fakeQuantUniform,
  multiply,
  sum,
  type Tensor,
  type Tolerance,
  type UniformAttributes,
  uniformParameters,
  valueAndGrad
} from "../../src/index.ts"
import type { Fixture } from "../fixture.ts"
import { assertClose, assertSame } from "./compare.ts"
import { read } from "./readBack.ts"

const nearGradient: Tolerance = { relative: 1e-4, absolute: 1e-5 }

/** Gradient by the weight of the sum of `grad_output` times what `quantize` makes of it. */
const gradientThrough = (backend: Backend, fixture: Fixture, quantize: (weight: Tensor) => Tensor) =>
  read(() => {
    const w = fixture.load(backend, "weight")
    const dy = fixture.load(backend, "grad_output")
    return valueAndGrad((p: { readonly w: Tensor }) => ({
      loss: sum(multiply(quantize(p.w), dy)),
      auxiliary: undefined
    }))({ w }).gradients.w
  })

/** [K / g, N] of the kernel against [N, K / g] of the fixture. */
const transposed = (values: ArrayLike<number>, rows: number, groups: number): Float64Array =>
  Float64Array.from({ length: rows * groups }, (_, i) => values[(i % groups) * rows + Math.floor(i / groups)]!)

export const checkBilevel = async (backend: Backend, fixture: Fixture): Promise<void> => {
  const attributes: BilevelAttributes = {
    bits: fixture.setting("bits"),
    group: fixture.setting("group"),
    scaleGroup: fixture.setting("scale_group"),
    secondLevel: "f32",
    commonScale: "reference",
    arithmetic: "f32"
  }
  const [rows, groups] = fixture.shape("scale") as readonly [number, number]
  const weight = () => fixture.load(backend, "weight")
  const same = async (name: string, body: () => Tensor, permuted = false) => {
    const values = await read(body)
    const ordered = permuted ? transposed(values, rows, groups) : values
    assertSame(`${fixture.name}: ${name}`, fixture.shape(name), ordered, fixture.values(name))
  }
  await same("dequantized", () => fakeQuantBilevel(weight(), attributes))
  await same("scale", () => bilevelParameters(weight(), attributes).scale, true)
  await same("zero", () => bilevelParameters(weight(), attributes).zero, true)
  await same("codes", () => bilevelCodes(weight(), attributes).codes)
  await same("scale_codes", () => bilevelCodes(weight(), attributes).scaleCodes, true)
  await same("scale_scale", () => bilevelCodes(weight(), attributes).step)
  await same("scale_zero", () => bilevelCodes(weight(), attributes).origin)
  const gradient = await gradientThrough(backend, fixture, (w) => fakeQuantBilevel(w, attributes))
  const expected = fixture.values("grad_weight")
  assertSame(`${fixture.name}: grad_weight`, fixture.shape("grad_weight"), gradient, expected)
}

const checkUniform = async (
  backend: Backend,
  fixture: Fixture,
  attributes: UniformAttributes,
  load: () => Tensor = () => fixture.load(backend, "weight")
): Promise<void> => {
  const same = async (name: string, body: () => Tensor) =>
    assertSame(`${fixture.name}: ${name}`, fixture.shape(name), await read(body), fixture.values(name))
  await same("dequantized", () => fakeQuantUniform(load(), attributes))
  await same("scale", () => uniformParameters(load(), attributes).scale)
}

const flat = (fixture: Fixture, bits: number): UniformAttributes => ({
  bits,
  group: fixture.setting("group"),
  symmetric: false,
  rounding: "halfAwayThenZero",
  roundZero: true,
  rangeGradient: true
})

export const checkFlat = async (backend: Backend, fixture: Fixture, bits: number): Promise<void> => {
  const attributes = flat(fixture, bits)
  const y = await read(() => fakeQuantUniform(fixture.load(backend, "weight"), attributes))
  assertSame(`${fixture.name}: dequantized`, fixture.shape("weight"), y, fixture.values("dequantized"))
  const gradient = await gradientThrough(backend, fixture, (w) => fakeQuantUniform(w, attributes))
  const shape = fixture.shape("grad_weight")
  assertClose(`${fixture.name}: grad_weight`, shape, gradient, fixture.values("grad_weight"), nearGradient)
}

/** Normal-float levels of 3 bits. */
const n2f3 = [
  -1, -0.5350227355957031, -0.246931403875351, 0, 0.1833375245332718, 0.3819939494132996, 0.6229856610298157, 1
]

export const checkCodebook = async (backend: Backend, fixture: Fixture): Promise<void> => {
  const attributes = { group: fixture.setting("group"), levels: n2f3 }
  const y = await read(() => codebookParameters(fixture.load(backend, "weight"), attributes).y)
  assertSame(`${fixture.name}: dequantized`, fixture.shape("weight"), y, fixture.values("dequantized"))
  const gradient = await gradientThrough(backend, fixture, (w) => fakeQuantCodebook(w, attributes))
  const shape = fixture.shape("grad_weight")
  assertClose(`${fixture.name}: grad_weight`, shape, gradient, fixture.values("grad_weight"), nearGradient)
}

export const checkMinMax = async (backend: Backend, fixture: Fixture): Promise<void> => {
  const attributes: UniformAttributes = {
    ...flat(fixture, fixture.setting("bits")),
    rounding: "nearestThenZero",
    rangeGradient: false
  }
  await checkUniform(backend, fixture, attributes)
  const zero = await read(() => uniformParameters(fixture.load(backend, "weight"), attributes).zero)
  assertSame(`${fixture.name}: zero`, fixture.shape("zero"), zero, fixture.values("zero"))
}

/** Weights are rounded to half precision first; the codes are what stands between value and scale. */
export const checkEmbedding = async (backend: Backend, fixture: Fixture): Promise<void> => {
  const attributes: UniformAttributes = { ...flat(fixture, 4), symmetric: true, rounding: "sum", rangeGradient: false }
  const load = () => cast(cast(fixture.load(backend, "weight"), "f16"), "f32")
  await checkUniform(backend, fixture, attributes, load)
  const y = await read(() => fakeQuantUniform(load(), attributes))
  const scale = await read(() => uniformParameters(load(), attributes).scale)
  const codes = Array.from(y, (value, i) => Math.round(value / scale[Math.floor(i / attributes.group)]!) + 7)
  assertSame(`${fixture.name}: codes`, fixture.shape("codes"), codes, fixture.values("codes"))
}
