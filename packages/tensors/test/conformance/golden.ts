/** Kernels and optimizers against what PyTorch computed (test/fixtures), on any backend. */
import { assert, describe, it } from "vitest"
import {
  adamW,
  adaroundWeight,
  add,
  type Backend,
  type BilevelAttributes,
  bilevelCodes,
  bilevelParameters,
  cast,
  clipByGlobalNorm,
  codebookParameters,
  confidenceRows,
  crossEntropyRows,
  fakeQuantBilevel,
  fakeQuantCodebook,
  fakeQuantUniform,
  klRows,
  multiply,
  pixelShuffle,
  reshape,
  scope,
  sum,
  type Tensor,
  type Tolerance,
  tensor,
  type UniformAttributes,
  uniformParameters,
  valueAndGrad,
  warmupCosine,
  zeros
} from "../../src/index.ts"
import { type Fixture, fixturesOf, openFixture } from "../fixture.ts"
import { assertClose, assertSame } from "./compare.ts"

const near: Tolerance = { relative: 1e-5, absolute: 1e-6 }
const nearGradient: Tolerance = { relative: 1e-4, absolute: 1e-5 }

/** Reads what `body` returns; everything it allocates is released. */
const read = async (body: () => Tensor): Promise<ArrayLike<number>> => {
  const tensor = scope(body)
  const values = await tensor.read()
  tensor.release()
  return values
}

/** Like `read`, for two. */
const both = async (
  body: () => readonly [Tensor, Tensor]
): Promise<readonly [ArrayLike<number>, ArrayLike<number>]> => {
  const [first, second] = scope(body)
  const values = [await first.read(), await second.read()] as const
  first.release()
  second.release()
  return values
}

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

const checkBilevel = async (backend: Backend, fixture: Fixture): Promise<void> => {
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

const checkFlat = async (backend: Backend, fixture: Fixture, bits: number): Promise<void> => {
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

const checkCodebook = async (backend: Backend, fixture: Fixture): Promise<void> => {
  const attributes = { group: fixture.setting("group"), levels: n2f3 }
  const y = await read(() => codebookParameters(fixture.load(backend, "weight"), attributes).y)
  assertSame(`${fixture.name}: dequantized`, fixture.shape("weight"), y, fixture.values("dequantized"))
  const gradient = await gradientThrough(backend, fixture, (w) => fakeQuantCodebook(w, attributes))
  const shape = fixture.shape("grad_weight")
  assertClose(`${fixture.name}: grad_weight`, shape, gradient, fixture.values("grad_weight"), nearGradient)
}

const checkAdamW = async (backend: Backend): Promise<void> => {
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

const checkLosses = async (backend: Backend, fixture: Fixture): Promise<void> => {
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

const checkHardRounding = async (backend: Backend, fixture: Fixture): Promise<void> => {
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

/** Registers the checks for one backend. */
export const golden = (backend: Backend): void => {
  describe("as PyTorch", () => {
    const each = (name: string, fixtures: readonly Fixture[], check: (fixture: Fixture) => Promise<void>) =>
      it(name, async () => {
        assert.isAbove(fixtures.length, 0, "no fixtures")
        for (const fixture of fixtures) await check(fixture)
      })

    each("bilevel quantization", fixturesOf("quantizers", "bilevel-"), (fixture) => checkBilevel(backend, fixture))
    each("flat 2-bit quantization", fixturesOf("quantizers", "int2-asym-"), (fixture) => checkFlat(backend, fixture, 2))
    each("flat 3-bit quantization", fixturesOf("quantizers", "int3-asym-"), (fixture) => checkFlat(backend, fixture, 3))
    each("normal-float quantization", fixturesOf("quantizers", "n2f3-"), (fixture) => checkCodebook(backend, fixture))
    each("min-max quantization", fixturesOf("quantizers", "uniform-asym-"), async (fixture) => {
      const attributes: UniformAttributes = {
        ...flat(fixture, fixture.setting("bits")),
        rounding: "nearestThenZero",
        rangeGradient: false
      }
      await checkUniform(backend, fixture, attributes)
      const zero = await read(() => uniformParameters(fixture.load(backend, "weight"), attributes).zero)
      assertSame(`${fixture.name}: zero`, fixture.shape("zero"), zero, fixture.values("zero"))
    })
    each("symmetric quantization of embeddings", fixturesOf("quantizers", "embedding-sym4-"), (fixture) =>
      checkUniform(
        backend,
        fixture,
        { ...flat(fixture, 4), symmetric: true, rounding: "sum", rangeGradient: false },
        () => cast(cast(fixture.load(backend, "weight"), "f16"), "f32")
      )
    )
    each("losses over the vocabulary", fixturesOf("train", "losses-"), (fixture) => checkLosses(backend, fixture))
    each("AdaRound's hard rounding", fixturesOf("train", "adaround-block-"), (fixture) =>
      checkHardRounding(backend, fixture)
    )
    it("pixel shuffle", async () => {
      const fixture = openFixture("internvl3", "pixel-shuffle-and-position-resize")
      const shuffled = await read(() => pixelShuffle(fixture.load(backend, "input")))
      assertSame("pixel shuffle", fixture.shape("shuffled"), shuffled, fixture.values("shuffled"))
    })
    it("AdamW with warm-up, cosine decay and clipping", () => checkAdamW(backend))
  })
}
