/** Quantization where its fast bodies give way to general ones: wide groups, long second-level groups, unusual values. */
import { afterAll, assert, describe, it } from "vitest"
import { apply } from "../../src/core/apply.ts"
import {
  type AnyKernel,
  type Backend,
  bilevelCodes,
  bilevelDecode,
  clipSearch,
  doubleValues,
  fakeQuantBilevel,
  kernels,
  makeNativeBackend,
  makeReferenceBackend,
  Random,
  type Shape,
  type Tensor,
  tensor,
  UnsupportedKernel,
  zeros
} from "../../src/index.ts"
import { assertClose, assertSame } from "../conformance/compare.ts"

const native = await makeNativeBackend({ threads: 2 })
const reference = makeReferenceBackend()
afterAll(() => native.close())

interface Values {
  readonly shape: Shape
  readonly values: Float32Array
}

const drawn = (shape: Shape, draw: (random: Random) => number, seed = 5): Values => {
  const random = Random.make(seed)
  const size = shape.reduce((product, extent) => product * extent, 1)
  return { shape, values: Float32Array.from({ length: size }, () => draw(random)) }
}

const upload = (backend: Backend, operands: { readonly [name: string]: Values }): { readonly [name: string]: Tensor } =>
  Object.fromEntries(
    Object.entries(operands).map(([name, { shape, values }]) => [name, tensor(backend, values, shape)])
  )

const kernelNamed = (name: string): AnyKernel => kernels.find((kernel) => kernel.name === name)!

/** Outputs of both backends, the reference's in double precision. */
const both = async (name: string, operands: { readonly [name: string]: Values }, attributes: object) => {
  const kernel = kernelNamed(name)
  const actual = apply(kernel, upload(native, operands), attributes)
  const expected = apply(kernel, upload(reference, operands), attributes)
  const outputs = new Map<string, { shape: Shape; actual: ArrayLike<number>; expected: ArrayLike<number> }>()
  for (const output of kernel.outputs) {
    const { shape } = expected[output]!
    outputs.set(output, { shape, actual: await actual[output]!.read(), expected: doubleValues(expected[output]!) })
  }
  return outputs
}

const exactlyTheSame = async (
  name: string,
  operands: { readonly [name: string]: Values },
  attributes: object
): Promise<void> => {
  for (const [output, { shape, actual, expected }] of await both(name, operands, attributes)) {
    assertSame(`${name} ${JSON.stringify(attributes)}: ${output}`, shape, actual, expected)
  }
}

const bilevel = {
  bits: 2,
  group: 4,
  scaleGroup: 4,
  secondLevel: "f32",
  commonScale: "exact",
  arithmetic: "f32"
} as const

describe("native quantization", () => {
  it("searches ranges of groups wider than a thread can pack, and refuses those past its scratch", async () => {
    const group = 524
    const operands = {
      weight: drawn([2, group], (random) => 0.02 * random.nextNormal()),
      // Not symmetric: only the sum with its transpose counts.
      gram: drawn([1, group, group], (random) => random.nextUniform(), 6)
    }
    for (let i = 0; i < group; i++) operands.gram.values[i * (group + 1)]! += group
    const attributes = { bits: 3, group, gridSize: 6, maxShrink: 0.5 }
    for (const [output, { shape, actual, expected }] of await both("clipSearch", operands, attributes)) {
      assertClose(`clipSearch: ${output}`, shape, actual, expected, { relative: 1e-4, absolute: 1e-7 })
    }
    const wide = 16388
    const [weight, gram] = [zeros(native, [2, 0]), zeros(native, [0, wide, wide])]
    const search = () => clipSearch(weight, gram, { ...attributes, group: wide })
    assert.throws(search, UnsupportedKernel, "16388")
  })

  it("quantizes second-level groups of any length", async () => {
    for (const scaleGroup of [1, 3, 5, 16388]) {
      const weight = drawn([scaleGroup, 8], (random) => 0.02 * random.nextNormal())
      await exactlyTheSame("fakeQuantBilevel", { weight }, { ...bilevel, scaleGroup })
      await exactlyTheSame("bilevelCodes", { weight }, { ...bilevel, scaleGroup })
    }
  })

  it("gives the reference's bits where many weights lie half-way between codes, and where scales are at their bound", async () => {
    const halfway = drawn([32, 64], (random) => Math.round(8 * random.nextNormal()) / 8)
    const tiny = drawn([32, 64], (random) => 1e-7 * random.nextNormal())
    const uniform = { bits: 3, group: 16, symmetric: false, roundZero: true, rangeGradient: false }
    for (const weight of [halfway, tiny]) {
      for (const secondLevel of ["f16", "f32"] as const) {
        for (const commonScale of ["exact", "reference"] as const) {
          const attributes = { ...bilevel, group: 16, scaleGroup: 8, secondLevel, commonScale }
          await exactlyTheSame("fakeQuantBilevel", { weight }, attributes)
          await exactlyTheSame("bilevelCodes", { weight }, attributes)
        }
      }
      for (const rounding of ["sum", "nearestThenZero", "halfAwayThenZero"]) {
        await exactlyTheSame("fakeQuantUniform", { weight }, { ...uniform, rounding })
      }
      await exactlyTheSame("fakeQuantCodebook", { weight }, { group: 16, levels: [-1, -0.5, 0, 0.5, 1] })
    }
  })

  it("decodes its codes to the bits of its fake quantization", async () => {
    for (const [shape, group, scaleGroup] of [
      [[48, 80], 16, 16],
      [[33, 64], 32, 6],
      [[6, 21], 7, 3]
    ] as const) {
      const { values } = drawn(shape, (random) => 0.02 * random.nextNormal())
      const weight = tensor(native, values, shape)
      for (const secondLevel of ["f16", "f32"] as const) {
        const attributes = { ...bilevel, bits: 4, group, scaleGroup, secondLevel }
        const fake = await fakeQuantBilevel(weight, attributes).read()
        const decoded = await bilevelDecode(bilevelCodes(weight, attributes), attributes).read()
        assertSame(`${shape} ${secondLevel}`, shape, Float32Array.from(decoded), Float32Array.from(fake))
      }
    }
  })

  it("does not hide a weight that is not a number", async () => {
    const { shape, values } = drawn([16, 64], (random) => 0.02 * random.nextNormal())
    values[100] = Number.NaN
    const weight = tensor(native, values, shape)
    const uniform = {
      bits: 2,
      group: 16,
      symmetric: false,
      rounding: "sum",
      roundZero: true,
      rangeGradient: false
    } as const
    for (const [name, attributes] of [
      ["fakeQuantBilevel", { ...bilevel, group: 16, scaleGroup: 16 }],
      ["fakeQuantUniform", uniform],
      ["fakeQuantCodebook", { group: 16, levels: [-1, 0, 1] }]
    ] as const) {
      const y = await apply(kernelNamed(name), { weight }, attributes).y!.read()
      assert.isNaN(y[100], name)
    }
  })
})
