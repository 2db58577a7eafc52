/** AdamW with warm-up, cosine decay and gradient clipping: 30 steps (fixtures/train/adamw-cosine). */
import { adamStep, clipFactor, sumSquaresInto, tensor, warmupCosine, zeros } from "@speedq/tensors"
import type { Check } from "../Check.ts"
import { type Comparison, compare } from "../compare.ts"

export const optimizerCheck: Check = {
  matches: /train\/adamw-/,
  run: async (fixture, backend) => {
    const number = (name: string) => Number(fixture.meta[name])
    const [steps = 0, size = 0] = fixture.shape("grads")
    const parameter = fixture.load(backend, "initial")
    const m = zeros(backend, [size])
    const v = zeros(backend, [size])
    const schedule = warmupCosine({
      peak: number("lr"),
      warmupSteps: number("warmup_steps"),
      totalSteps: number("total_steps")
    })
    const rates: number[] = []
    const trajectory: number[] = []
    for (let step = 0; step < steps; step++) {
      const row = fixture.numbers("grads").subarray(step * size, (step + 1) * size)
      const gradient = tensor(backend, row as Float32Array, [size])
      const total = zeros(backend, [1])
      sumSquaresInto(total, gradient)
      const factor = clipFactor(total, number("max_grad_norm"))
      const learningRate = schedule(step)
      rates.push(learningRate)
      adamStep(
        { parameter, m, v, gradient, factor },
        {
          learningRate,
          beta1: number("beta1"),
          beta2: number("beta2"),
          epsilon: number("eps"),
          weightDecay: number("weight_decay"),
          decoupled: true,
          step: step + 1
        }
      )
      trajectory.push(...(await parameter.read()))
    }
    const comparisons: readonly Comparison[] = [
      compare("learning_rates", rates, fixture.numbers("learning_rates"), { relative: 1e-5, absolute: 1e-9 }),
      compare("parameters", trajectory, fixture.numbers("parameters"), { relative: 1e-5, absolute: 1e-6 })
    ]
    return comparisons
  }
}
