/** CAKLD and label-smoothed cross entropy with their gradients (fixtures/train/losses-*). The head is the identity, so that logits are given. */
import { cakld, crossEntropy, type RowLoss, teacherConfidence, vocabularyLoss } from "@speedq/distillation"
import { reshape, type Tensor, tensor, valueAndGrad } from "@speedq/tensors"
import type { Check } from "../Check.ts"
import { compare } from "../compare.ts"

const near = { relative: 1e-5, absolute: 1e-6 }

export const lossesCheck: Check = {
  matches: /train\/losses-/,
  run: async (fixture, backend) => {
    const [batch = 0, length = 0, vocabulary = 0] = fixture.shape("student_logits")
    const labels = { values: fixture.integers("labels"), batch, length }
    const identity = tensor(
      backend,
      Float32Array.from({ length: vocabulary ** 2 }, (_, i) => (i % (vocabulary + 1) === 0 ? 1 : 0)),
      [vocabulary, vocabulary]
    )
    const teacher = { hidden: fixture.load(backend, "teacher_logits"), weight: identity }
    const evaluate = async (loss: RowLoss) => {
      const { value, gradients } = valueAndGrad(({ student }: { readonly student: Tensor }) => {
        const hidden = reshape(student, [batch, length, vocabulary])
        const result = vocabularyLoss({
          losses: [loss],
          labels,
          student: { hidden, weight: identity },
          teacher,
          chunkRows: 3
        })
        return { loss: result.loss, auxiliary: undefined }
      })({ student: fixture.load(backend, "student_logits") })
      return { value: [await value.item()], gradient: await gradients.student.read() }
    }
    const kd = await evaluate(cakld({ confidence: fixture.number("beta"), mask: "unshifted" }))
    const ce = await evaluate(crossEntropy({ labelSmoothing: fixture.number("smoothing") }))
    const everyRow = Array.from({ length: batch * length }, (_, row) => row)
    const confidence = await teacherConfidence(teacher, everyRow, 5).item()
    return [
      compare("cakld", kd.value, fixture.numbers("cakld"), near),
      compare("grad_cakld", kd.gradient, fixture.numbers("grad_cakld"), near),
      compare("cross_entropy_smoothed", ce.value, fixture.numbers("cross_entropy_smoothed"), near),
      compare("grad_cross_entropy", ce.gradient, fixture.numbers("grad_cross_entropy"), near),
      compare("teacher_mean_max_probability", [confidence], fixture.numbers("teacher_mean_max_probability"), near)
    ]
  }
}
