/** AdaRound: scales, temperature schedule and a whole trajectory of a two-layer block (fixtures/train/adaround-*). */
import {
  annealedExponent,
  type Block,
  blockError,
  brecqDefaults,
  initialRounding,
  layerOnGrid,
  roundingStep
} from "@speedq/adaround"
import {
  adaroundScales,
  add,
  type Backend,
  gelu,
  linear,
  type Parameters,
  Random,
  type Tensor,
  tensor
} from "@speedq/tensors"
import type { Check } from "../Check.ts"
import { type Comparison, compare, compareExactly, compareShare } from "../compare.ts"
import type { Fixture } from "../Fixture.ts"

const read = async (tensor: Tensor) => (await tensor.read()) as Float32Array

const extentsOf = (fixture: Fixture) => ({ bits: fixture.number("bits"), group: fixture.number("group") })

export const adaroundScalesCheck: Check = {
  matches: /train\/adaround-scales-/,
  run: async (fixture, backend) => {
    const weight = fixture.load(backend, "weight")
    const method = fixture.meta["scale_method"] === "max" ? "max" : "mse"
    const { scale, zero } = adaroundScales(weight, { ...extentsOf(fixture), method })
    return [
      compare("delta", await read(scale), fixture.numbers("delta"), { relative: 1e-5, absolute: 1e-6 }),
      compareExactly("zero_point", await read(zero), fixture.numbers("zero_point"))
    ]
  }
}

export const temperatureCheck: Check = {
  matches: /train\/adaround-temperature/,
  run: async (fixture) => {
    const { number } = fixture
    const annealing = {
      iterations: number("t_max"),
      warmup: number("warmup"),
      start: number("start"),
      end: number("end")
    }
    const actual = Array.from(fixture.integers("step"), (t) => annealedExponent(annealing, t))
    return [compare("b", actual, fixture.numbers("b"), { relative: 1e-6, absolute: 1e-6 })]
  }
}

/** Rows of a tensor [samples, ..., C]. */
const gather = (backend: Backend, fixture: Fixture, name: string, rows: Int32Array): Tensor => {
  const [, ...rest] = fixture.shape(name)
  const columns = rest.reduce((a, b) => a * b, 1)
  const values = fixture.numbers(name)
  const data = new Float32Array(rows.length * columns)
  for (const [i, row] of rows.entries()) data.set(values.subarray(row * columns, (row + 1) * columns), i * columns)
  return tensor(backend, data, [rows.length, ...rest])
}

/** How far alpha may be after a step. Adam's first steps follow signs of gradients that may be rounding noise; later ones drift. */
const alphaTolerances = [
  { steps: 1, absolute: 1e-3 },
  { steps: 10, absolute: 5e-3 }
]

/** Names and steps of the rounding variables that a fixture recorded of a layer: "alpha1.step10". */
const recordedAlphas = (fixture: Fixture, layer: number) =>
  fixture.names.flatMap((name) => {
    const step = new RegExp(`^alpha${layer}\\.step(\\d+)$`).exec(name)?.[1]
    return step === undefined ? [] : [{ name, step: Number(step) }]
  })

export const adaroundBlockCheck: Check = {
  matches: /train\/adaround-block-/,
  run: async (fixture, backend) => {
    const load = (name: string) => fixture.load(backend, name)
    const grid = (layer: 1 | 2) =>
      layerOnGrid(
        load(`w${layer}`),
        { scale: load(`delta${layer}`), zero: load(`zero${layer}`), stored: {} },
        extentsOf(fixture)
      )
    const [b1, b2] = [load("b1"), load("b2")]
    const block: Block = {
      name: "fixture",
      grids: { w1: grid(1), w2: grid(2) },
      forward: ({ w1, w2 }: Parameters, x) => add(x, linear(gelu(linear(x, w1!, b1)), w2!, b2))
    }
    const iterations = fixture.number("iters")
    const [betaStart = brecqDefaults.betaStart, betaEnd = brecqDefaults.betaEnd] = fixture.meta["b_range"]
      ? (JSON.parse(fixture.meta["b_range"]) as number[])
      : []
    const options = {
      ...brecqDefaults,
      iterations,
      warmup: fixture.number("warmup"),
      betaStart,
      betaEnd,
      learningRate: fixture.number("lr"),
      lambda: fixture.number("weight")
    }
    const drawn = fixture.integers("batch_indices")
    const perBatch = fixture.shape("batch_indices")[1]!
    const comparisons: Comparison[] = []
    const compareAlphas = async (step: number) => {
      const absolute = alphaTolerances.find(({ steps }) => step <= steps)?.absolute
      if (absolute === undefined) return
      for (const layer of [1, 2]) {
        for (const { name } of recordedAlphas(fixture, layer).filter((recorded) => recorded.step === step)) {
          const actual = await read(state.layers[`w${layer}`]!.alpha)
          comparisons.push(compareShare(name, actual, fixture.numbers(name), { relative: 0, absolute }, 0.99))
        }
      }
    }
    let state = initialRounding(block.grids, Random.make(0))
    for (let step = 1; step <= iterations; step++) {
      const rows = drawn.subarray((step - 1) * perBatch, step * perBatch)
      const batch = {
        inputs: gather(backend, fixture, "inputs", rows),
        targets: gather(backend, fixture, "targets", rows)
      }
      state = roundingStep(block, state, batch, options).state
      batch.inputs.release()
      batch.targets.release()
      await compareAlphas(step)
    }
    const hard = {
      w1: block.grids["w1"]!.hard(state.layers["w1"]!.alpha),
      w2: block.grids["w2"]!.hard(state.layers["w2"]!.alpha)
    }
    for (const [i, name] of (["w1", "w2"] as const).entries()) {
      const expected = fixture.numbers(`hard${i + 1}`)
      comparisons.push(
        compareShare(`hard${i + 1}`, await read(hard[name]), expected, { relative: 1e-5, absolute: 1e-6 }, 0.995)
      )
    }
    const whole = { inputs: load("inputs"), targets: load("targets") }
    const error = await blockError(block, hard, whole).item()
    // The fixture gives the mean over features too; ours sums over them.
    const features = fixture.shape("targets").at(-1)!
    const expected = [fixture.number("mse_adaround")]
    comparisons.push(compare("mse_adaround", [error / features], expected, { relative: 0.02, absolute: 0 }))
    return comparisons
  }
}
