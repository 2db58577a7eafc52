/** AdamW with warm-up, cosine decay and gradient clipping: 30 steps (fixtures/train/adamw-cosine). */
import { adamW, clipByGlobalNorm, tensor, warmupCosine } from "@speedq/tensors"
import type { Check } from "../Check.ts"
import { compare } from "../compare.ts"

export const optimizerCheck: Check = {
  matches: /train\/adamw-/,
  run: async (fixture, backend) => {
    const { number } = fixture
    const [steps = 0, size = 0] = fixture.shape("grads")
    const parameters = { p: fixture.load(backend, "initial") }
    const optimizer = adamW({
      beta1: number("beta1"),
      beta2: number("beta2"),
      epsilon: number("eps"),
      weightDecay: number("weight_decay")
    })
    const schedule = warmupCosine({
      peak: number("lr"),
      warmupSteps: number("warmup_steps"),
      totalSteps: number("total_steps")
    })
    let state = optimizer.init(parameters)
    const rates: number[] = []
    const trajectory: number[] = []
    for (let step = 0; step < steps; step++) {
      const row = fixture.numbers("grads").subarray(step * size, (step + 1) * size)
      const gradients = { p: tensor(backend, row as Float32Array, [size]) }
      const { factor } = clipByGlobalNorm(gradients, number("max_grad_norm"))
      const learningRate = schedule(step)
      state = optimizer.update(parameters, gradients, state, { learningRate, factor })
      rates.push(learningRate)
      trajectory.push(...(await parameters.p.read()))
    }
    return [
      compare("learning_rates", rates, fixture.numbers("learning_rates"), { relative: 1e-5, absolute: 1e-9 }),
      compare("parameters", trajectory, fixture.numbers("parameters"), { relative: 1e-5, absolute: 1e-6 })
    ]
  }
}
