/** AdaRound's fused step: its gradient, the composition it stands for, and what becomes of decided roundings. */
import { afterAll, assert, describe, it } from "vitest"
import {
  type AdaroundStepAttributes,
  adamStep,
  adaroundStep,
  adaroundWeight,
  add,
  type Backend,
  doubleValues,
  makeNativeBackend,
  makeReferenceBackend,
  multiply,
  Random,
  sum,
  type Tensor,
  tensor,
  valueAndGrad,
  zeros
} from "../src/index.ts"
import { assertClose } from "./conformance/compare.ts"
import { finiteDifferences } from "./tolerances.ts"

const backend = makeReferenceBackend()
const shape = [3, 8]
const attributes: AdaroundStepAttributes = {
  bits: 2,
  group: 4,
  lambda: 0.3,
  exponent: 3.5,
  learningRate: 0.05,
  beta1: 0.9,
  beta2: 0.99,
  epsilon: 1e-8,
  step: 3
}

/** Operands of a step: codes inside and outside of the grid, roundings decided and not. */
const operands = () => {
  const random = Random.make(5, "adaroundStep")
  const filled = (extents: readonly number[], next: (i: number) => number) =>
    tensor(
      backend,
      Array.from({ length: extents.reduce((a, b) => a * b, 1) }, (_, i) => next(i)),
      extents
    )
  return {
    alpha: filled(shape, () => 2 * random.nextNormal()),
    m: filled(shape, () => random.nextNormal()),
    v: filled(shape, () => 0.1 + random.nextUniform()),
    dy: filled(shape, () => random.nextNormal()),
    weight: filled(shape, () => random.nextNormal()),
    scale: filled([3, 2], (i) => 0.5 + i / 8),
    zero: filled([3, 2], (i) => i % 3)
  }
}

/** The penalty written once more: lambda sum of 1 - |2 h - 1|^exponent. */
const penaltyOf = (alpha: ArrayLike<number>, { lambda, exponent }: AdaroundStepAttributes): number => {
  const h = (a: number) => Math.min(1, Math.max(0, 1.2 / (1 + Math.exp(-a)) - 0.1))
  return lambda * Array.from(alpha, (a) => 1 - Math.abs(2 * h(a) - 1) ** exponent).reduce((x, y) => x + y, 0)
}

/** dy . adaroundWeight(alpha) + rounding, and its central differences by every alpha. */
const slopesOf = ({ alpha, dy, weight, scale, zero }: ReturnType<typeof operands>): Float64Array => {
  const values = doubleValues(alpha)
  const loss = () => {
    const soft = adaroundWeight({ weight, scale, zero, alpha }, { ...attributes, hard: false })
    const dot = doubleValues(soft).reduce((total, y, i) => total + y * doubleValues(dy)[i]!, 0)
    return dot + penaltyOf(values, attributes)
  }
  const step = 1e-5
  return Float64Array.from(values, (at, i) => {
    values[i] = at + step
    const after = loss()
    values[i] = at - step
    const before = loss()
    values[i] = at
    return (after - before) / (2 * step)
  })
}

describe("adaroundStep", () => {
  it("has the gradient of central differences", () => {
    const given = operands()
    const expected = slopesOf(given)
    // Without memory Adam's mean is the gradient.
    adaroundStep(given, { ...attributes, beta1: 0 })
    assertClose("gradient", shape, doubleValues(given.m), expected, finiteDifferences)
    assert.isTrue(expected.some((slope) => slope === 0) && expected.filter((slope) => slope !== 0).length > 12)
  })

  it("equals the gradient through adaroundWeight and the penalty's, then adamStep", () => {
    const [fused, composed] = [operands(), operands()]
    const { dy, weight, scale, zero } = composed
    const { gradients } = valueAndGrad(({ alpha }: { readonly alpha: Tensor }) => ({
      loss: sum(multiply(dy, adaroundWeight({ weight, scale, zero, alpha }, { ...attributes, hard: false }))),
      auxiliary: undefined
    }))({ alpha: composed.alpha })
    const alphas = Array.from(doubleValues(composed.alpha))
    const s = (a: number) => 1 / (1 + Math.exp(-a))
    const penaltySlopes = alphas.map((a) => {
      const [u, { lambda, exponent }] = [2.4 * s(a) - 1.2, attributes]
      if (Math.abs(u) > 1) return 0
      return -lambda * exponent * Math.abs(u) ** (exponent - 1) * Math.sign(u) * 2.4 * s(a) * (1 - s(a))
    })
    const slopes = zeros(backend, shape)
    doubleValues(slopes).set(penaltySlopes)
    adamStep(
      { parameter: composed.alpha, m: composed.m, v: composed.v, gradient: add(gradients.alpha, slopes) },
      { ...attributes, weightDecay: 0, decoupled: false }
    )
    const rounding = adaroundStep(fused, attributes)
    const exact = { relative: 1e-12, absolute: 1e-12 }
    for (const name of ["alpha", "m", "v"] as const) {
      assertClose(name, shape, doubleValues(fused[name]), doubleValues(composed[name]), exact)
    }
    assertClose("rounding before the step", [1], doubleValues(rounding), [penaltyOf(alphas, attributes)], exact)
  })
})

describe.each(["relaxed", "plain"] as const)("adaroundStep of decided roundings, %s SIMD", async (simd) => {
  const native: Backend = await makeNativeBackend({ threads: 1, blas: "none", simd })
  afterAll(() => native.close())

  it("has no penalty, and lets Adam's mean come to rest at 0 rather than among subnormal numbers", async () => {
    const filled = (value: number) => tensor(native, new Float32Array(24).fill(value), shape)
    const at = { alpha: filled(4), m: filled(1e-3), v: filled(1e-6), dy: filled(1), weight: filled(0.2) }
    const grid = { scale: tensor(native, new Float32Array(6).fill(1), [3, 2]), zero: zeros(native, [3, 2]) }
    for (let step = 1; step <= 1000; step++) {
      const rounding = adaroundStep({ ...at, ...grid }, { ...attributes, learningRate: 1e-4, step })
      if (step % 100 === 0) assert.strictEqual(await rounding.item(), 0)
      rounding.release()
    }
    assert.deepEqual(Array.from(await at.m.read()), new Array(24).fill(0))
    for (const alpha of await at.alpha.read()) assert.closeTo(alpha, 4, 0.02)
  })
})
