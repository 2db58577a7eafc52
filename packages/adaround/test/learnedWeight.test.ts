/** Quantized weights whose grids are learned: what they are, what is stored, and where gradients go (docs/method.md, "Block-AP"). */
import { bilevel, type QuantizerChoice, uniform } from "@speedq/quantizers"
import {
  type Backend,
  noGrad,
  type Parameters,
  Random,
  scope,
  sum,
  type Tensor,
  tensor,
  valueAndGrad
} from "@speedq/tensors"
import { assert, describe, it } from "vitest"
import { type Grids, initialTraining, learnedParts, learnedWeight, makeLayerGrids, storedWeight } from "../src/index.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

const shape = [16, 32] as const
const weightOf = (backend: Backend): Tensor => {
  const random = Random.make(11)
  return tensor(
    backend,
    Float32Array.from({ length: shape[0] * shape[1] }, () => 0.1 * random.nextNormal()),
    shape
  )
}

/** What is trained of a weight before the first step. */
const partsOf = async (backend: Backend, choice: QuantizerChoice, learned?: Grids): Promise<Parameters> => {
  const grids = await makeLayerGrids("block", { w: { weight: weightOf(backend), choice } })
  const block = { name: "block", grids, forward: (_: Parameters, x: Tensor) => x }
  return noGrad(() => initialTraining(block, new Map([["w", choice]]), Random.make(1), learned)).layers["w"]!
}

const choices: readonly {
  readonly name: string
  readonly choice: QuantizerChoice
  readonly free: boolean
  readonly grids?: Grids
}[] = [
  { name: "uniform", choice: uniform({ bits: 2, group: 16 }), free: true },
  { name: "uniform with f32 scales", choice: uniform({ bits: 3, group: 16, scale: "f32" }), free: true },
  { name: "symmetric", choice: uniform({ bits: 4, group: 16, symmetric: true }), free: true },
  { name: "bilevel", choice: bilevel({ bits: 2, group: 16, scaleGroup: 16 }), free: false },
  { name: "bilevel, learned", choice: bilevel({ bits: 2, group: 16, scaleGroup: 16 }), free: true, grids: "learned" },
  { name: "uniform, following", choice: uniform({ bits: 2, group: 16 }), free: false, grids: "follow" }
]

onEveryBackend("a learned weight", (backend) => {
  describe.each(choices)("on the grid of $name", ({ choice, free, grids }) => {
    const { quantizer, config } = choice
    const numbers = async (x: Tensor) => [...(await x.read())]

    it("begins as rounding to nearest gives it", async () => {
      const parts = await partsOf(backend, choice, grids)
      assert.deepStrictEqual(learnedParts(choice, grids), free ? ["weight", "scale", "zero"] : ["weight"])
      const found = noGrad(() => learnedWeight(choice, parts))
      const nearest = noGrad(() => quantizer.fakeQuantize(config, weightOf(backend)))
      assert.deepStrictEqual(await numbers(found), await numbers(nearest))
    })

    it("is what its stored form stands for, wherever training led it", async () => {
      const { weight, scale, zero } = await partsOf(backend, choice, grids)
      const moved = async (x: Tensor, by: (i: number) => number) =>
        tensor(
          backend,
          Float32Array.from(await x.read(), (value, i) => value + by(i)),
          x.shape
        )
      const parts: Parameters = {
        weight: await moved(weight!, (i) => 0.05 * Math.sin(i)),
        // Scales between halves, one of nothing, one below it; zero points between codes and outside of them.
        ...(scale && { scale: await moved(scale, (i) => (i < 2 ? -1 : 1e-5 * i)) }),
        ...(zero && { zero: await moved(zero, (i) => 3 * Math.sin(i)) })
      }
      const stored = storedWeight(choice, parts)
      const expected = quantizer.dequantize(config, stored, shape)
      assert.deepStrictEqual(await numbers(noGrad(() => learnedWeight(choice, parts))), await numbers(expected))
      assert.isTrue((await numbers(expected)).every(Number.isFinite))
      const codes = await numbers(stored.codes!)
      assert.isAtMost(Math.max(...codes), 2 ** Number((config as { bits: number }).bits) - 1)
    })
  })

  it("passes gradients by the definition of the straight-through estimator", async () => {
    const choice = uniform({ bits: 2, group: 4, scale: "f32" })
    // Steps of 0.5 from zero point 1: codes 0, 1, 3 and, clamped, 3.
    const parts = {
      weight: tensor(backend, Float32Array.of(-0.4, 0.1, 0.9, 3), [1, 4]),
      scale: tensor(backend, Float32Array.of(0.5), [1, 1]),
      zero: tensor(backend, Float32Array.of(1.2), [1, 1])
    }
    const { gradients } = scope(() =>
      valueAndGrad((given: typeof parts) => ({ loss: sum(learnedWeight(choice, given)), auxiliary: undefined }))(parts)
    )
    const near = async (x: Tensor, expected: readonly number[]) => {
      for (const [i, value] of (await numbersOf(x)).entries()) assert.closeTo(value, expected[i]!, 1e-5)
    }
    await near(gradients.weight, [1, 1, 1, 0])
    // Inside: code - zero - w / s; outside: code - zero.
    await near(gradients.scale, [-1 + 0.8 + (0 - 0.2) + (2 - 1.8) + 2])
    await near(gradients.zero, [-0.5])
  })
})

const numbersOf = async (x: Tensor): Promise<readonly number[]> => [...(await x.read())]
