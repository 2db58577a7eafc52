/** Operands of more than 2^24 elements: positions beyond what an f32 counts exactly. */
import { assert } from "vitest"
import {
  type Backend,
  columnSums,
  gatherRows,
  generate,
  type Shape,
  scale,
  type Tensor,
  tensor
} from "../../src/index.ts"

/** A tensor whose element i is `value(i)`. */
const filled = (backend: Backend, shape: Shape, value: (index: number) => number): Tensor =>
  generate(backend, { shape, dtype: "f32" }, (bytes) => {
    const target = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
    for (let i = 0; i < target.length; i++) target[i] = value(i)
  })

const checkScale = async (backend: Backend): Promise<void> => {
  const count = 2 ** 24 + 5
  const x = filled(backend, [count], (i) => i % 1021)
  const y = scale(x, 0.5)
  const values = await y.read()
  for (let i = count - 4099; i < count; i++) assert.strictEqual(values[i], (i % 1021) / 2, `element ${i}`)
  x.release()
  y.release()
}

const checkColumnSums = async (backend: Backend): Promise<void> => {
  const [rows, columns] = [4099, 4099]
  // Small whole numbers: every partial sum is exact in f32, in whatever order.
  const value = (row: number, column: number) => ((row * 3 + column) % 7) - 3
  const x = filled(backend, [rows, columns], (i) => value(Math.floor(i / columns), i % columns))
  const y = columnSums(x)
  const values = await y.read()
  for (let column = 0; column < columns; column += 41) {
    let sum = 0
    for (let row = 0; row < rows; row++) sum += value(row, column)
    assert.strictEqual(values[column], sum, `column ${column}`)
  }
  x.release()
  y.release()
}

const checkGatherRows = async (backend: Backend): Promise<void> => {
  const [rows, columns] = [18743, 897]
  const value = (i: number) => (i % 8191) - 4096
  const table = filled(backend, [rows, columns], value)
  const wanted = [0, 18742, 18741, 9000, 18703]
  const index = tensor(backend, wanted, [wanted.length], "i32")
  const y = gatherRows(table, index)
  const values = await y.read()
  for (const [n, row] of wanted.entries()) {
    for (let c = 0; c < columns; c++) {
      assert.strictEqual(values[n * columns + c], value(row * columns + c), `row ${row}, column ${c}`)
    }
  }
  for (const tensor of [table, index, y]) tensor.release()
}

export const hugeCases: readonly { readonly name: string; readonly check: (backend: Backend) => Promise<void> }[] = [
  { name: "scales 2^24 + 5 elements", check: checkScale },
  { name: "sums 4099 rows of 4099 columns", check: checkColumnSums },
  { name: "gathers from a table of more than 2^24 elements", check: checkGatherRows }
]
