/** Plans a product: where its matrices are, its slices, and whether its factors are rounded to bf16 or the left one is split into parts of it. */
import { elementBytes } from "../../core/DType.ts"
import { UnsupportedKernel } from "../../core/Errors.ts"
import type { ProductCall, ProductOperand } from "./NativeBody.ts"
import type { Placing } from "./Placing.ts"
import { partElements, roundFactor } from "./roundFactor.ts"
import { slices } from "./slices.ts"
import type { Matrix, ProductTask, RowsTask, Task, TaskOperand } from "./thread/tasks.ts"
import type { Visits } from "./Visits.ts"

/** Bytes of the parts that exist at once: larger left factors are multiplied some rows at a time. */
const partsBytes = 32 * 2 ** 20
/** Bytes of the three parts of an element. */
const splitBytes = 6

/** How an engine multiplies: f32 by f32, f32 by parts where the right factor is stored as bf16, or factors rounded to bf16. */
export type Multiplying = "f32" | "parts" | "bf16"

interface Multipliers {
  readonly threads: number
  readonly multiplying: Multiplying
}

const matrixOf = (engine: Placing, item: ProductOperand, rows: number, columns: number): Matrix => {
  const { operand, transposed, stride = transposed ? rows : columns, batchStride = rows * columns } = item
  const { memory, offset } = engine.place(operand)
  return { memory, offset, stride, transposed, batchBytes: elementBytes(operand.dtype) * batchStride }
}

/** Tasks to run one after the other. */
export const planProduct = (
  engine: Placing,
  visits: Visits,
  { threads, multiplying }: Multipliers,
  { arithmetic, batch, m, n, k, a, b, c, bias, accumulate = false }: ProductCall
): readonly Task[] => {
  const type = b.operand.dtype
  if (type === "u8" || type === "i32") throw new UnsupportedKernel(engine.kernel, "native", `b is ${type}`)
  const target = engine.place(c, { preferred: engine.place(a.operand).memory })
  const product: ProductTask = {
    kind: "product",
    batch,
    m,
    n,
    k,
    a: { ...matrixOf(engine, a, m, k), type: "f32" },
    b: { ...matrixOf(engine, b.sharedByBatch ? { ...b, batchStride: 0 } : b, k, n), type },
    c: matrixOf(engine, { operand: c, transposed: false }, m, n),
    accumulate,
    ...(bias ? { bias: visits.whole(engine.visitor(bias, { reads: true }), target.memory) } : {}),
    ...slices(batch, m, n, k, threads)
  }
  if (multiplying === "bf16" && arithmetic !== "f32" && k > 0) {
    const [left, right] = [
      roundFactor(engine, visits, a.operand, batch * m * k),
      roundFactor(engine, visits, b.operand, (b.sharedByBatch ? 1 : batch) * k * n)
    ]
    const [bytesA, bytesB] = [2 * m * k, b.sharedByBatch ? 0 : 2 * k * n]
    const rounded: ProductTask = {
      ...product,
      a: { ...product.a, ...left.place, type: "bf16", batchBytes: bytesA },
      b: { ...product.b, ...right.place, type: "bf16", batchBytes: bytesB }
    }
    return [...left.tasks, ...right.tasks, rounded]
  }
  const dense = batch === 1 && !a.transposed && product.a.stride === k
  const splits = type === "bf16" && multiplying === "parts" && dense && !accumulate && m > 0 && k > 0
  return splits ? byParts(visits, product, threads) : [product]
}

/** Splits some rows of A into three bf16 matrices, multiplies those, takes the next rows. */
const byParts = (visits: Visits, product: ProductTask, threads: number): readonly Task[] => {
  const { m, n, k, a, c } = product
  const most = Math.min(m, Math.max(8, Math.floor(partsBytes / (splitBytes * k))))
  const parts = visits.borrow(splitBytes * most * k, a.memory).offset
  const tasks: Task[] = []
  for (let row = 0; row < m; row += most) {
    const rows = Math.min(most, m - row)
    const from = { ...a, offset: a.offset + 4 * row * k }
    const to = { ...c, offset: c.offset + 4 * row * n }
    tasks.push(split(from, rows * k, parts))
    tasks.push({ ...product, m: rows, a: from, c: to, parts, ...slices(1, rows, n, k, threads) })
  }
  return tasks
}

const split = ({ memory, offset }: Matrix, elements: number, parts: number): RowsTask => {
  const part = (index: number): TaskOperand => {
    const place = { memory, offset: parts + 2 * index * elements }
    return { ...place, rowBytes: 2, partBytes: 0, reads: false, writes: true }
  }
  return {
    kind: "rows",
    entry: "splitBfloat16",
    home: memory,
    rows: elements,
    partRows: partElements,
    together: 1,
    scratch: false,
    operands: [{ memory, offset, rowBytes: 4, partBytes: 0, reads: true, writes: false }, part(2), part(1), part(0)],
    scalars: []
  }
}
