/** Optimizers, schedules and clipping beside what the fixtures cover. */
import { assert, describe, it } from "vitest"
import {
  adam,
  adamW,
  clipByGlobalNorm,
  constantRate,
  doubleValues,
  InvalidAttribute,
  MissingOperand,
  makeReferenceBackend,
  Random,
  ShapeMismatch,
  type Tensor,
  tensor,
  warmupCosine,
  zeros
} from "../src/index.ts"

const backend = makeReferenceBackend()
const vector = (...values: readonly number[]): Tensor => tensor(backend, values, [values.length])

describe("adam and adamW", () => {
  it("move by the learning rate in the first step, against the gradient's sign", () => {
    for (const optimizer of [adam(), adamW({ weightDecay: 0 })]) {
      const p = vector(1, 1, 1)
      optimizer.update({ p }, { p: vector(5, -0.01, 0) }, optimizer.init({ p }), { learningRate: 0.1 })
      const [a, b, c] = doubleValues(p)
      assert.closeTo(a!, 0.9, 1e-6)
      assert.closeTo(b!, 1.1, 1e-6)
      assert.strictEqual(c, 1)
    }
  })

  it("decay apart: AdamW the parameter, Adam through the gradient", () => {
    const decoupled = vector(2)
    const w = adamW({ weightDecay: 0.5 })
    w.update({ p: decoupled }, { p: vector(0) }, w.init({ p: decoupled }), { learningRate: 0.1 })
    assert.closeTo(doubleValues(decoupled)[0]!, 2 * (1 - 0.1 * 0.5), 1e-7)
    const coupled = vector(2)
    const a = adam({ weightDecay: 0.5 })
    a.update({ p: coupled }, { p: vector(0) }, a.init({ p: coupled }), { learningRate: 0.1 })
    assert.closeTo(doubleValues(coupled)[0]!, 2 - 0.1, 1e-7)
  })

  it("take each parameter's factor of the rate", () => {
    const optimizer = adamW({ weightDecay: 0, rateOf: (name) => (name === "quick" ? 3 : 1) })
    const parameters = { quick: vector(1), slow: vector(1) }
    const gradients = { quick: vector(1), slow: vector(1) }
    optimizer.update(parameters, gradients, optimizer.init(parameters), { learningRate: 0.1 })
    assert.closeTo(doubleValues(parameters.quick)[0]!, 0.7, 1e-6)
    assert.closeTo(doubleValues(parameters.slow)[0]!, 0.9, 1e-6)
  })

  it("leave parameters that do not decay alone", () => {
    const optimizer = adamW({ weightDecay: 0.5, decays: (name) => !name.endsWith("norm.weight") })
    const parameters = { "norm.weight": vector(1), "proj.weight": vector(1) }
    const gradients = { "norm.weight": vector(0), "proj.weight": vector(0) }
    optimizer.update(parameters, gradients, optimizer.init(parameters), { learningRate: 0.1 })
    assert.strictEqual(doubleValues(parameters["norm.weight"])[0], 1)
    assert.closeTo(doubleValues(parameters["proj.weight"])[0]!, 0.95, 1e-7)
  })

  it("continue from a saved state with the same bits", () => {
    const random = Random.make(31, "resume")
    const gradients = Array.from({ length: 6 }, () => Array.from({ length: 5 }, () => random.nextNormal()))
    const optimizer = adamW()
    const run = (p: Tensor, from: number, to: number, state = optimizer.init({ p })) => {
      for (const gradient of gradients.slice(from, to)) {
        state = optimizer.update({ p }, { p: vector(...gradient) }, state, { learningRate: 0.01 })
      }
      return state
    }
    const whole = vector(1, 2, 3, 4, 5)
    run(whole, 0, 6)
    const halfway = vector(1, 2, 3, 4, 5)
    const saved = run(halfway, 0, 3)
    const copy = (x: Tensor) => {
      const y = zeros(backend, x.shape)
      doubleValues(y).set(doubleValues(x))
      return y
    }
    const again = copy(halfway)
    const restored = {
      step: saved.step,
      m: { p: copy(saved.m["p"] as Tensor) },
      v: { p: copy(saved.v["p"] as Tensor) }
    }
    assert.strictEqual(run(again, 3, 6, restored).step, 6)
    assert.deepEqual(doubleValues(again), doubleValues(whole))
  })

  it("say which parameter lacks what", () => {
    const optimizer = adamW()
    const parameters = { a: vector(1), b: vector(2, 3) }
    const state = optimizer.init(parameters)
    const gradients = { a: vector(1), b: vector(1, 1) }
    const options = { learningRate: 0.1 }
    assert.throws(
      () => optimizer.update(parameters, { a: gradients.a } as typeof gradients, state, options),
      MissingOperand,
      'adamW: operand "gradient of b" is required'
    )
    assert.throws(
      () => optimizer.update(parameters, gradients, { ...state, v: { a: state.v["a"] as Tensor } }, options),
      MissingOperand,
      'adamW: operand "second moment of b" is required'
    )
    assert.throws(
      () => optimizer.update({ a: parameters.a }, { a: vector(1, 2) }, state, options),
      ShapeMismatch,
      'adamStep: operand "gradient" has shape [2], expected [1] as "parameter"'
    )
    assert.throws(
      () => optimizer.update({ a: parameters.a }, { a: gradients.a }, state, { learningRate: Number.NaN }),
      InvalidAttribute,
      'adamStep: attribute "learningRate" is NaN'
    )
    assert.deepEqual(Array.from(doubleValues(parameters.a)), [1], "nothing was done")
  })
})

describe("schedules", () => {
  it("warm up from 0 to the peak and fall to 0", () => {
    const rate = warmupCosine({ peak: 2, warmupSteps: 4, totalSteps: 12 })
    assert.deepEqual([0, 1, 2, 3, 4].map(rate), [0, 0.5, 1, 1.5, 2])
    assert.closeTo(rate(8), 1, 1e-12)
    assert.closeTo(rate(12), 0, 1e-12)
    assert.strictEqual(rate(1000), rate(12))
  })

  it("start at the peak without warm-up, and stay constant on request", () => {
    assert.strictEqual(warmupCosine({ peak: 2, warmupSteps: 0, totalSteps: 3 })(0), 2)
    assert.strictEqual(warmupCosine({ peak: 2, warmupSteps: 0, totalSteps: 0 })(0), 2)
    assert.deepEqual([0, 7].map(constantRate(0.5)), [0.5, 0.5])
  })

  it("refuse what makes no sense", () => {
    assert.throws(
      () => warmupCosine({ peak: 1, warmupSteps: 5, totalSteps: 4 }),
      InvalidAttribute,
      'warmupCosine: attribute "totalSteps" is 4, expected a whole number of at least 5'
    )
    assert.throws(
      () => warmupCosine({ peak: 1, warmupSteps: -1, totalSteps: 4 }),
      InvalidAttribute,
      '"warmupSteps" is -1'
    )
    assert.throws(() => warmupCosine({ peak: -1, warmupSteps: 1, totalSteps: 4 }), InvalidAttribute, '"peak" is -1')
  })
})

describe("clipping by global norm", () => {
  it("sees all gradients as one vector and leaves them alone", () => {
    const gradients = { a: vector(3), b: vector(0, 4) }
    const { norm, factor } = clipByGlobalNorm(gradients, 1)
    assert.closeTo(doubleValues(norm)[0]!, 5, 1e-12)
    assert.closeTo(doubleValues(factor)[0]!, 1 / (5 + 1e-6), 1e-12)
    assert.deepEqual(Array.from(doubleValues(gradients.b)), [0, 4])
  })

  it("never makes gradients larger", () => {
    assert.strictEqual(doubleValues(clipByGlobalNorm({ a: vector(0.1) }, 1).factor)[0], 1)
    assert.strictEqual(doubleValues(clipByGlobalNorm({ a: vector(0, 0) }, 1).factor)[0], 1)
  })

  it("needs a gradient", () => {
    assert.throws(() => clipByGlobalNorm({}, 1), MissingOperand, "clipByGlobalNorm")
  })
})
