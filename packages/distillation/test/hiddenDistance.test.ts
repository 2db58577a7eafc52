/** The distance of hidden states: its number, its gradient, and what it refuses. */
import { type Backend, noGrad, tensor, valueAndGrad } from "@speedq/tensors"
import { assert, it } from "vitest"
import { hiddenDistance } from "../src/index.ts"
import { onEveryBackend } from "./support/onEveryBackend.ts"

/** Two sequences of three positions; the rows 0, 1 and 3 predict a label. */
const labels = { values: Int32Array.of(-100, 4, 7, -100, 2, -100), batch: 2, length: 3 }
const [student, teacher] = [
  [1, 2, 0, -1, 9, 9, 3, 3, 9, 9, 9, 9],
  [0, 2, 2, -1, 5, 5, 3, 0, 5, 5, 5, 5]
]
const read = [0, 1, 3]

onEveryBackend("the distance of hidden states", (backend: Backend) => {
  it("is the mean of squared differences over the rows that predict a label, and so is its gradient", async () => {
    const given = { student: tensor(backend, student!, [2, 3, 2]) }
    const right = tensor(backend, teacher!, [2, 3, 2])
    const { value, gradients } = valueAndGrad((parameters: typeof given) => ({
      loss: hiddenDistance(parameters.student, right, labels),
      auxiliary: undefined
    }))(given)
    // (1 + 4 + 9) / (3 rows x 2 channels)
    assert.closeTo(await value.item(), 14 / 6, 1e-6)
    const expected = student!.map((x, at) => (read.includes(Math.floor(at / 2)) ? (2 * (x - teacher![at]!)) / 6 : 0))
    assert.deepStrictEqual(
      Array.from(await gradients.student.read(), (x) => Number(x.toFixed(5))),
      expected.map((x) => Number(x.toFixed(5)))
    )
  })

  it("is 0 where no row predicts a label", async () => {
    const hidden = tensor(backend, [1, 2], [1, 1, 2])
    const none = { values: Int32Array.of(3), batch: 1, length: 1 }
    assert.strictEqual(await noGrad(() => hiddenDistance(hidden, hidden, none)).item(), 0)
  })

  it("refuses a teacher of another width", () => {
    const [narrow, wide] = [tensor(backend, [1, 2], [1, 1, 2]), tensor(backend, [1, 2, 3], [1, 1, 3])]
    assert.throws(
      () => hiddenDistance(narrow, wide, { values: Int32Array.of(3), batch: 1, length: 1 }),
      "hidden states of the teacher have 3 channels, those of the student 2"
    )
  })
})
