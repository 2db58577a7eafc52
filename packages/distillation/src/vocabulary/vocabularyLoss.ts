/**
 * Losses over the vocabulary without the logits of a whole batch in memory: rows that some loss reads pass the head
 * a few at a time, and the gradient by the hidden states is computed in the same pass.
 * Extra memory: three chunks of rows (student, teacher, gradient), whatever the batch.
 */
import {
  addInto,
  customGradient,
  gatherRows,
  linear,
  matmul,
  matmulInto,
  multiply,
  reshape,
  scaleRows,
  scope,
  sum,
  type Tensor,
  tensor,
  writeRows,
  zeros
} from "@speedq/tensors"
import { LabelsMismatch, TeacherMissing } from "../Errors.ts"
import type { RowLoss } from "../losses/RowLoss.ts"
import { type Labels, predictedLabel } from "./Labels.ts"

/** Final hidden states and the matrix that turns them into logits. */
export interface LanguageHead {
  /** [B, T, H] */
  readonly hidden: Tensor
  /** [V, H]; may be stored in 16 bits where it does not train. */
  readonly weight: Tensor
}

export interface VocabularyLoss {
  /** Sum of all losses, [1]. */
  readonly loss: Tensor
  /** Each loss by name, [1]; constants for differentiation. */
  readonly parts: { readonly [name: string]: Tensor }
}

export interface VocabularyLossOptions {
  readonly losses: readonly RowLoss[]
  readonly labels: Labels
  readonly student: LanguageHead
  readonly teacher?: LanguageHead | undefined
  /** Rows that pass the head together. Default: what 64 MiB of logits hold. */
  readonly chunkRows?: number
}

const defaultChunkBytes = 64 * 2 ** 20

const flatten = (hidden: Tensor): Tensor => {
  const width = hidden.shape.at(-1)!
  return reshape(hidden, [hidden.size / width, width])
}

const chunksOf = (rows: readonly number[], size: number): readonly (readonly number[])[] =>
  Array.from({ length: Math.ceil(rows.length / size) }, (_, index) => rows.slice(index * size, (index + 1) * size))

const checkLabels = ({ values, batch, length }: Labels, hidden: Tensor): void => {
  const rows = flatten(hidden).shape[0]!
  if (values.length === batch * length && rows === values.length) return
  throw new LabelsMismatch({ labels: values.length, batch, length, rows })
}

/** The teacher, where some loss reads it. */
const neededTeacher = (losses: readonly RowLoss[], teacher: LanguageHead | undefined): LanguageHead | undefined => {
  const reader = losses.find(({ needsTeacher }) => needsTeacher)
  if (reader === undefined) return undefined
  if (teacher === undefined) throw new TeacherMissing(reader.name)
  return teacher
}

/**
 * Weighted sum of `losses`, differentiable by the student's hidden states and, where it is a variable, its head.
 * A batch in which no loss reads any row gives 0 with zero gradients. Raises TeacherMissing and LabelsMismatch.
 */
export const vocabularyLoss = ({
  losses,
  labels,
  student,
  chunkRows,
  ...options
}: VocabularyLossOptions): VocabularyLoss => {
  checkLabels(labels, student.hidden)
  const teacher = neededTeacher(losses, options.teacher)
  const { backend } = student.hidden
  const vocabulary = student.weight.shape[0]!
  const selections = losses.map((loss) => loss.rowWeights(labels))
  const rows = [...new Set(selections.flatMap((selection) => [...selection.keys()]))].sort((a, b) => a - b)
  const size = chunkRows ?? Math.max(1, Math.floor(defaultChunkBytes / (4 * vocabulary)))
  const parts: { [name: string]: Tensor } = Object.fromEntries(losses.map(({ name }) => [name, zeros(backend, [1])]))
  const f32 = (values: readonly number[]) => tensor(backend, values, [values.length])
  const i32 = (values: readonly number[]) => tensor(backend, values, [values.length], "i32")

  const [loss] = customGradient(
    "vocabularyLoss",
    [student.hidden, student.weight],
    ([wantsHidden = false, wantsWeight = false]) => {
      const hidden = flatten(student.hidden)
      const gradientHidden = wantsHidden ? zeros(backend, hidden.shape) : undefined
      const gradientWeight = wantsWeight ? zeros(backend, student.weight.shape) : undefined
      const total = zeros(backend, [1])

      for (const chunk of chunksOf(rows, size)) {
        scope(() => {
          const index = i32(chunk)
          const inputs = gatherRows(hidden, index)
          const batch = {
            student: linear(inputs, student.weight),
            teacher: teacher && linear(gatherRows(flatten(teacher.hidden), index), teacher.weight),
            labels: i32(chunk.map((row) => predictedLabel(labels, row))),
            gradient: wantsHidden || wantsWeight ? zeros(backend, [chunk.length, vocabulary]) : undefined
          }
          for (const [position, loss] of losses.entries()) {
            const weights = f32(chunk.map((row) => selections[position]!.get(row) ?? 0))
            const part = sum(multiply(loss.rows({ ...batch, weights }), weights))
            addInto(parts[loss.name]!, part)
            addInto(total, part)
          }
          if (batch.gradient === undefined) return
          if (gradientHidden) writeRows(gradientHidden, matmul(batch.gradient, student.weight), index)
          if (gradientWeight) matmulInto(gradientWeight, batch.gradient, inputs, true)
        })
      }

      const saved = [gradientHidden, gradientWeight].filter((gradient) => gradient !== undefined)
      return {
        outputs: [total] as const,
        saved,
        backward: ([cotangent], kept) => {
          if (cotangent === undefined) return []
          const scaled = (gradient: Tensor, shape: readonly number[]) =>
            reshape(scaleRows(reshape(gradient, [1, gradient.size]), cotangent), shape)
          const remaining = [...kept]
          return [
            wantsHidden ? scaled(remaining.shift()!, student.hidden.shape) : undefined,
            wantsWeight ? scaled(remaining.shift()!, student.weight.shape) : undefined
          ]
        }
      }
    }
  )
  return { loss, parts }
}
