/** Losses, optimizer and AdaRound against what PyTorch computed. */
import { assert } from "vitest"
import {
  adamW,
  adaroundWeight,
  add,
  type Backend,
  clipByGlobalNorm,
  confidenceRows,
  crossEntropyRows,
  klRows,
  multiply,
  reshape,
  scope,
  sum,
  type Tensor,
  type Tolerance,
  tensor,
  warmupCosine,
  zeros
} from "../../src/index.ts"
import { type Fixture, openFixture } from "../fixture.ts"
import { assertClose } from "./compare.ts"
import { both, read } from "./readBack.ts"

const near: Tolerance = { relative: 1e-5, absolute: 1e-6 }

export const checkAdamW = async (backend: Backend): Promise<void> => {
  const fixture = openFixture("train", "adamw-cosine")
  const steps = fixture.setting("total_steps")
  const size = fixture.shape("initial")[0]!
  const rate = warmupCosine({
    peak: fixture.setting("lr"),
    warmupSteps: fixture.setting("warmup_steps"),
    totalSteps: steps
  })
  const rates = Array.from({ length: steps }, (_, step) => rate(step))
  assertClose("learning rates", [steps], rates, fixture.values("learning_rates"), { relative: 1e-6, absolute: 1e-9 })
  const optimizer = adamW({
    beta1: fixture.setting("beta1"),
    beta2: fixture.setting("beta2"),
    epsilon: fixture.setting("eps"),
    weightDecay: fixture.setting("weight_decay")
  })
  const before = backend.usage().buffers
  const p = fixture.load(backend, "initial")
  let state = optimizer.init({ p })
  for (let step = 0; step < steps; step++) {
    const rows = (name: string) => fixture.values(name).slice(step * size, (step + 1) * size)
    const norm = scope(() => {
      const gradients = { p: tensor(backend, rows("grads"), [size]) }
      const { factor, norm } = clipByGlobalNorm(gradients, fixture.setting("max_grad_norm"))
      state = optimizer.update({ p }, gradients, state, { learningRate: rate(step), factor })
      return norm
    })
    const expected = Math.sqrt(Array.from(rows("grads")).reduce((total, value) => total + value * value, 0))
    assertClose(`norm in step ${step}`, [1], [await norm.item()], [expected], near)
    norm.release()
    assertClose(`parameters after step ${step}`, [size], await p.read(), rows("parameters"), near)
  }
  assert.strictEqual(state.step, steps)
  for (const tensor of [p, ...Object.values(state.m), ...Object.values(state.v)]) tensor.release()
  assert.strictEqual(backend.usage().buffers, before)
}

export const checkLosses = async (backend: Backend, fixture: Fixture): Promise<void> => {
  const [batch, length, vocabulary] = fixture.shape("student_logits") as readonly [number, number, number]
  const rows = batch * length
  const labels = fixture.values("labels")
  const logits = (name: string) => reshape(fixture.load(backend, name), [rows, vocabulary])
  const weights = (values: ArrayLike<number>) => tensor(backend, Float32Array.from(values), [rows])

  // The fixture's KL mask is the reference's: rows that carry a label; sum over the sequence, mean over the batch.
  const kept = Array.from(labels, (label) => (label === -100 ? 0 : 1 / batch))
  const beta = fixture.setting("beta")
  const [kd, kdGradient] = await both(() => {
    const gradient = zeros(backend, [rows, vocabulary])
    const attributes = { beta, temperature: 1 }
    const { forward, reverse } = klRows(
      logits("student_logits"),
      logits("teacher_logits"),
      weights(kept),
      attributes,
      gradient
    )
    const mixed = (divergence: Tensor, share: number) =>
      multiply(divergence, weights(kept.map((weight) => share * weight)))
    return [sum(add(mixed(reverse, beta), mixed(forward, 1 - beta))), gradient]
  })
  assertClose(`${fixture.name}: cakld`, [1], kd, fixture.values("cakld"), near)
  assertClose(`${fixture.name}: grad_cakld`, [rows, vocabulary], kdGradient, fixture.values("grad_cakld"), near)

  // Labels shifted by one: row t predicts label t + 1.
  const next = Int32Array.from({ length: rows }, (_, row) => (row % length === length - 1 ? -100 : labels[row + 1]!))
  const active = next.filter((label) => label !== -100).length
  const [ce, ceGradient] = await both(() => {
    const gradient = zeros(backend, [rows, vocabulary])
    const mean = weights(Array.from(next, (label) => (label === -100 ? 0 : 1 / active)))
    const index = tensor(backend, next, [rows], "i32")
    const smoothing = { smoothing: fixture.setting("smoothing") }
    return [sum(multiply(crossEntropyRows(logits("student_logits"), index, mean, smoothing, gradient), mean)), gradient]
  })
  assertClose(`${fixture.name}: cross entropy`, [1], ce, fixture.values("cross_entropy_smoothed"), near)
  assertClose(
    `${fixture.name}: its gradient`,
    [rows, vocabulary],
    ceGradient,
    fixture.values("grad_cross_entropy"),
    near
  )

  const confidence = await read(() => confidenceRows(logits("teacher_logits")))
  const mean = Array.from(confidence).reduce((total, value) => total + value / rows, 0)
  const expected = fixture.values("teacher_mean_max_probability")
  assertClose(`${fixture.name}: confidence`, [1], [mean], expected, near)
}

export const checkHardRounding = async (backend: Backend, fixture: Fixture): Promise<void> => {
  const bits = fixture.setting("bits")
  const group = fixture.setting("group")
  for (const layer of [1, 2]) {
    const load = (name: string) => fixture.load(backend, name)
    const hard = await read(() =>
      adaroundWeight(
        {
          weight: load(`w${layer}`),
          scale: load(`delta${layer}`),
          zero: load(`zero${layer}`),
          alpha: load(`alpha${layer}.step${fixture.setting("iters")}`)
        },
        { bits, group, hard: true }
      )
    )
    const name = `hard${layer}`
    assertClose(`${fixture.name}: ${name}`, fixture.shape(name), hard, fixture.values(name), near)
  }
}
