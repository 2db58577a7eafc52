/** Laws of the losses over the vocabulary (docs/method.md, "CAKLD" and "Cross entropy"), each on every backend. */
import { type Backend, scope, tensor, valueAndGrad } from "@speedq/tensors"
import fc from "fast-check"
import { assert, it } from "vitest"
import { cakld, crossEntropy, predictedLabel, type RowLoss, vocabularyLoss, weighted } from "../src/index.ts"
import { arbitraryBatch, type Batch, evaluate } from "./support/arbitraryLogits.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

const both: readonly RowLoss[] = [cakld({ confidence: 0.6 }), crossEntropy({ labelSmoothing: 0.1 })]

const check = (law: (batch: Batch) => Promise<void>, numRuns = 40) =>
  fc.assert(fc.asyncProperty(arbitraryBatch, law), { seed: 61, numRuns })

/** Within a few units in the last place of what was summed. */
const close = (actual: ArrayLike<number>, expected: ArrayLike<number>, relative = 1e-5, absolute = 1e-6): void => {
  assert.strictEqual(actual.length, expected.length)
  for (let i = 0; i < expected.length; i++) {
    const bound = absolute + relative * Math.abs(expected[i]!)
    assert.isAtMost(Math.abs(actual[i]! - expected[i]!), bound, `${actual[i]} for ${expected[i]} at ${i}`)
  }
}

const golden: Batch = {
  labels: { values: Int32Array.of(-100, 1, 2), batch: 1, length: 3 },
  vocabulary: 3,
  student: Float32Array.of(1, 0, -1, 0.5, 0.2, 0.1, 0, 2, 0),
  teacher: Float32Array.of(2, 0, -1, 0, 0, 0, 1, 1, -1)
}

onEveryBackend("losses over the vocabulary", (backend: Backend) => {
  it("give the golden numbers of docs/method.md", async () => {
    const lossAlone = async (loss: RowLoss) => (await evaluate(backend, golden, [loss])).loss
    const unshifted = cakld({ confidence: 0.6, mask: "unshifted" })
    const smoothed = crossEntropy({ labelSmoothing: 0.1 })
    assert.closeTo(await lossAlone(unshifted), 0.36566478, 1e-6)
    assert.closeTo(await lossAlone(cakld({ confidence: 0.6 })), 0.1058303, 1e-6)
    assert.closeTo(await lossAlone(crossEntropy()), 1.34385246, 1e-6)
    assert.closeTo(await lossAlone(crossEntropy({ labelSmoothing: 1 })), 1.26051912, 1e-6)
    assert.closeTo(await lossAlone(smoothed), 1.33551912, 1e-6)
    // rev = [.0969991, .01513493, .30606495], fwd = [.08155468, .01481999, .41754215]; the shifted mask takes rows 0 and 1.
    assert.closeTo(await lossAlone(cakld({ confidence: 1 })), 0.0969991 + 0.01513493, 1e-6)
    assert.closeTo(await lossAlone(cakld({ confidence: 0 })), 0.08155468 + 0.01481999, 1e-6)
    // The reference's mean of few batches is above 1, and the forward divergence then counts against the loss.
    const above = await evaluate(backend, golden, [cakld({ confidence: 1.25 })])
    assert.closeTo(above.loss, 1.25 * (0.0969991 + 0.01513493) - 0.25 * (0.08155468 + 0.01481999), 1e-6)
    const [reverse, forward] = [
      await evaluate(backend, golden, [cakld({ confidence: 1 })]),
      await evaluate(backend, golden, [cakld({ confidence: 0 })])
    ]
    close(
      above.gradient,
      Array.from(reverse.gradient, (value, i) => 1.25 * value - 0.25 * forward.gradient[i]!)
    )
    const { loss, parts } = await evaluate(backend, golden, [unshifted, smoothed])
    assert.closeTo(loss, 1.70118391, 1e-6)
    close([parts["kd"]!, parts["ce"]!], [0.36566478, 1.33551912])
  })

  it("KD is never negative, whatever its confidence, mask and temperature", () =>
    fc.assert(
      fc.asyncProperty(
        arbitraryBatch,
        fc.double({ min: 0, max: 1, noNaN: true }),
        fc.constantFrom("shifted", "unshifted", "all"),
        fc.constantFrom(0.5, 1, 4),
        async (batch, confidence, mask, temperature) => {
          const { loss } = await evaluate(backend, batch, [cakld({ confidence, mask, temperature })])
          assert.isAtLeast(loss, -1e-6)
        }
      ),
      { seed: 67, numRuns: 60 }
    ))

  it("KD and its gradient are nothing on equal logits", () =>
    check(async (batch) => {
      const equal = { ...batch, teacher: batch.student }
      const { loss, gradient } = await evaluate(backend, equal, [cakld({ confidence: 0.3 })])
      assert.closeTo(loss, 0, 1e-6)
      for (const value of gradient) assert.closeTo(value, 0, 1e-6)
    }))

  it("do not see a constant that is added to a row's logits", () =>
    fc.assert(
      fc.asyncProperty(arbitraryBatch, fc.integer({ min: -64, max: 64 }), async (batch, shift) => {
        const moved = (logits: Float32Array) => logits.map((value) => value + shift)
        const other = { ...batch, student: moved(batch.student), teacher: moved(batch.teacher) }
        const [one, two] = [await evaluate(backend, batch, both), await evaluate(backend, other, both)]
        close([two.loss], [one.loss], 1e-4, 1e-4)
        close(two.gradient, one.gradient, 1e-3, 1e-4)
      }),
      { seed: 71, numRuns: 40 }
    ))

  it("add up with their weights: value, parts and gradient", () =>
    fc.assert(
      fc.asyncProperty(arbitraryBatch, fc.integer({ min: 0, max: 9 }), async (batch, factor) => {
        const [kd, ce] = both as readonly [RowLoss, RowLoss]
        const alone = [await evaluate(backend, batch, [kd]), await evaluate(backend, batch, [ce])] as const
        const together = await evaluate(backend, batch, [weighted(factor, kd), ce])
        close([together.loss], [factor * alone[0].loss + alone[1].loss], 1e-5, 1e-5)
        close([together.parts["kd"]!, together.parts["ce"]!], [factor * alone[0].loss, alone[1].loss], 1e-5, 1e-5)
        const sum = alone[0].gradient.map((value, i) => factor * value + alone[1].gradient[i]!)
        close(together.gradient, sum, 1e-4, 1e-5)
      }),
      { seed: 73, numRuns: 40 }
    ))

  it("are the same in chunks as at once; gradients of rows to the bit on the reference backend", () =>
    fc.assert(
      fc.asyncProperty(arbitraryBatch, fc.integer({ min: 1, max: 5 }), async (batch, chunkRows) => {
        const whole = await evaluate(backend, batch, both, { chunkRows: 1000 })
        const chunked = await evaluate(backend, batch, both, { chunkRows })
        close([chunked.loss], [whole.loss])
        if (backend.name === "reference") assert.deepEqual(chunked.gradient, whole.gradient)
        else close(chunked.gradient, whole.gradient)
      }),
      { seed: 79, numRuns: 40 }
    ))

  it("give the gradient of their value", () =>
    check(async (batch) => {
      const losses = [
        cakld({ confidence: 0.6, temperature: 2, mask: "unshifted" }),
        crossEntropy({ labelSmoothing: 0.1 })
      ]
      const mild = {
        ...batch,
        student: batch.student.map((value) => value / 20),
        teacher: batch.teacher.map((value) => value / 20)
      }
      const { gradient } = await evaluate(backend, mild, losses)
      for (const i of [0, gradient.length - 1, gradient.length >> 1]) {
        const at = async (step: number) => {
          const student = mild.student.slice()
          student[i]! += step
          return (await evaluate(backend, { ...mild, student }, losses)).loss
        }
        const [up, down] = [await at(2 ** -6), await at(-(2 ** -6))]
        assert.closeTo((up - down) / 2 ** -5, gradient[i]!, 2e-3 * Math.max(1, Math.abs(up)))
      }
    }, 15))

  it("count 0 with gradient 0 when everything is masked", () =>
    check(async (batch) => {
      const masked = { ...batch, labels: { ...batch.labels, values: batch.labels.values.map(() => -100) } }
      for (const mask of ["shifted", "unshifted", "all"] as const) {
        for (const reduction of ["sum", "mean"] as const) {
          const losses = [cakld({ confidence: 0.6, mask, reduction }), crossEntropy({ labelSmoothing: 0.1 })]
          const { loss, gradient, parts } = await evaluate(backend, masked, losses)
          assert.deepEqual([loss, parts["kd"], parts["ce"]], [0, 0, 0])
          assert.isTrue(gradient.every((value) => value === 0))
        }
      }
    }, 15))

  it("give no gradient to rows without a label, and finite ones to the others", () =>
    check(async (batch) => {
      const { gradient, loss } = await evaluate(backend, batch, both)
      assert.isTrue(Number.isFinite(loss))
      const { vocabulary, labels } = batch
      for (let row = 0; row < labels.values.length; row++) {
        const own = gradient.slice(row * vocabulary, (row + 1) * vocabulary)
        assert.isTrue(own.every(Number.isFinite))
        if (predictedLabel(labels, row) === -100) assert.isTrue(own.every((value) => value === 0))
      }
    }))

  it("stay finite where logits are far apart", async () => {
    const far = {
      ...golden,
      student: golden.student.map((value) => 1e4 * value),
      teacher: golden.teacher.map((value) => -1e4 * value)
    }
    const { loss, gradient } = await evaluate(backend, far, both)
    assert.isTrue(Number.isFinite(loss) && gradient.every(Number.isFinite))
  })

  it("mean over tokens is the sum over the batch, divided", () =>
    check(async (batch) => {
      const predicting = Array.from(batch.labels.values.keys()).filter(
        (row) => predictedLabel(batch.labels, row) !== -100
      )
      fc.pre(predicting.length > 0)
      const sum = await evaluate(backend, batch, [cakld({ confidence: 0.6 })])
      const mean = await evaluate(backend, batch, [cakld({ confidence: 0.6, reduction: "mean" })])
      close([(mean.loss * predicting.length) / batch.labels.batch], [sum.loss], 1e-5, 1e-5)
    }))

  it("differentiate by the head as well, and by both at once", async () => {
    const hidden = tensor(backend, [0.1, 0.2, -0.3, 0.4, 0.5, -0.6], [1, 3, 2])
    const head = tensor(backend, [1, 0, 0, 1, 0.5, -0.5], [3, 2])
    const teacher = { hidden: tensor(backend, [0, 1, 1, 0, 1, 1], [1, 3, 2]), weight: head }
    const lossOf = (parameters: { readonly hidden: typeof hidden; readonly head: typeof head }, chunkRows: number) => {
      const student = { hidden: parameters.hidden, weight: parameters.head }
      return vocabularyLoss({ losses: both, labels: golden.labels, student, teacher, chunkRows }).loss
    }
    const gradientsOf = (chunkRows: number) =>
      scope(() =>
        valueAndGrad((parameters: { readonly hidden: typeof hidden; readonly head: typeof head }) => ({
          loss: lossOf(parameters, chunkRows),
          auxiliary: undefined
        }))({ hidden, head })
      ).gradients
    const found = gradientsOf(2)
    close(await gradientsOf(1).head.read(), await found.head.read())
    for (const [name, parameter] of Object.entries({ hidden, head })) {
      const values = Float32Array.from(await parameter.read())
      const gradient = await found[name as "head"].read()
      for (const i of values.keys()) {
        const at = async (step: number) => {
          const moved = tensor(
            backend,
            values.map((value, j) => (j === i ? value + step : value)),
            parameter.shape
          )
          return lossOf({ hidden, head, [name]: moved }, 2).item()
        }
        const difference = ((await at(2 ** -7)) - (await at(-(2 ** -7)))) / 2 ** -6
        assert.closeTo(difference, gradient[i]!, 1e-3, `${name} ${i}`)
      }
    }
  })
})
