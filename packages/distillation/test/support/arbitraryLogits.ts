/** Batches of logits with labels, and losses of them by the identity as head: hidden states are logits. */
import { type Backend, Random, reshape, scope, type Tensor, tensor, valueAndGrad } from "@speedq/tensors"
import fc from "fast-check"
import {
  type Labels,
  type LanguageHead,
  type RowLoss,
  type VocabularyLossOptions,
  vocabularyLoss
} from "../../src/index.ts"

export interface Batch {
  readonly labels: Labels
  readonly vocabulary: number
  readonly student: Float32Array
  readonly teacher: Float32Array
}

/** Batches of up to 3 sequences of up to 6 positions; about half of the labels are -100. */
export const arbitraryBatch: fc.Arbitrary<Batch> = fc
  .record({
    batch: fc.integer({ min: 1, max: 3 }),
    length: fc.integer({ min: 1, max: 6 }),
    vocabulary: fc.integer({ min: 1, max: 9 }),
    spread: fc.constantFrom(0.1, 1, 20),
    seed: fc.integer({ min: 0, max: 2 ** 31 })
  })
  .map(({ batch, length, vocabulary, spread, seed }) => {
    const random = Random.make(seed)
    const normals = () => Float32Array.from({ length: batch * length * vocabulary }, () => spread * random.nextNormal())
    const values = Int32Array.from({ length: batch * length }, () =>
      random.nextUniform() < 0.5 ? -100 : random.nextInteger(vocabulary)
    )
    return { labels: { values, batch, length }, vocabulary, student: normals(), teacher: normals() }
  })

/** Hidden states that are logits already. */
export const headOf = (backend: Backend, { labels, vocabulary }: Batch, logits: Float32Array): LanguageHead => {
  const identity = Float32Array.from({ length: vocabulary ** 2 }, (_, i) => (i % (vocabulary + 1) === 0 ? 1 : 0))
  return {
    hidden: tensor(backend, logits, [labels.batch, labels.length, vocabulary]),
    weight: tensor(backend, identity, [vocabulary, vocabulary])
  }
}

export interface Evaluated {
  readonly loss: number
  readonly parts: { readonly [name: string]: number }
  /** By the student's logits, [B, T, V]. */
  readonly gradient: Float32Array
}

/** Value, parts and gradient of losses on a batch. */
export const evaluate = async (
  backend: Backend,
  batch: Batch,
  losses: readonly RowLoss[],
  options: Partial<VocabularyLossOptions> = {}
): Promise<Evaluated> => {
  const { value, gradients, parts } = scope(() => {
    const student = headOf(backend, batch, batch.student)
    const teacher = headOf(backend, batch, batch.teacher)
    const { auxiliary, ...rest } = valueAndGrad(({ hidden }: { readonly hidden: Tensor }) => {
      const result = vocabularyLoss({
        losses,
        labels: batch.labels,
        student: { ...student, hidden: reshape(hidden, student.hidden.shape) },
        teacher,
        ...options
      })
      return { loss: result.loss, auxiliary: result.parts }
    })({ hidden: student.hidden })
    return { ...rest, parts: auxiliary }
  })
  const numbers: { [name: string]: number } = {}
  for (const [name, part] of Object.entries(parts)) numbers[name] = await part.item()
  const evaluated = {
    loss: await value.item(),
    parts: numbers,
    gradient: Float32Array.from(await gradients.hidden.read())
  }
  for (const made of [value, gradients.hidden, ...Object.values(parts)]) made.release()
  return evaluated
}
