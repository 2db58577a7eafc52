/** Plans a product: where its matrices are, its slices, and whether its factors are rounded to bf16 or the left one is split into parts of it. */
import { elementBytes } from "../../core/DType.ts"
import { UnsupportedKernel } from "../../core/Errors.ts"
import type { Operand } from "../../core/Operand.ts"
import type { DecoderOperands, ProductCall, ProductOperand } from "./NativeBody.ts"
import type { Placing } from "./Placing.ts"
import { partElements, roundFactor, rounding } from "./roundFactor.ts"
import { slices } from "./slices.ts"
import { storedType } from "./thread/storedType.ts"
import type { Place } from "./thread/Thread.ts"
import type { Decoder, Matrix, ProductTask, RowsTask, Task, TaskOperand } from "./thread/tasks.ts"
import type { Visits } from "./Visits.ts"

/** Bytes of the parts that exist at once: larger left factors are multiplied some rows at a time. */
const partsBytes = 32 * 2 ** 20
/** Bytes of a right factor in bf16 that exist at once: of a larger one some rows are multiplied at a time. */
const factorBytes = 32 * 2 ** 20
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

/** What decodes codes in memory `home`. */
const decoderOf = (
  engine: Placing,
  visits: Visits,
  { grid, origin, step, group, bits, sharing }: DecoderOperands,
  home: number
): Decoder => {
  const offsetOf = (operand: Operand): number => visits.whole(engine.visitor(operand, { reads: true }), home)
  return {
    grid: offsetOf(grid),
    origin: offsetOf(origin),
    step: step ? offsetOf(step) : 0,
    group,
    bits,
    sharing,
    scaleType: storedType[origin.dtype]
  }
}

/** Tasks to run one after the other. */
export const planProduct = (
  engine: Placing,
  visits: Visits,
  { threads, multiplying }: Multipliers,
  { arithmetic, batch, m, n, k, a, b, c, bias, accumulate = false }: ProductCall
): readonly Task[] => {
  const type = b.decoder ? "codes" : b.operand.dtype
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
    ...(b.decoder ? { decoder: decoderOf(engine, visits, b.decoder, engine.place(b.operand).memory) } : {}),
    accumulate,
    ...(bias ? { bias: visits.whole(engine.visitor(bias, { reads: true }), target.memory) } : {}),
    ...slices(batch, m, n, k, threads)
  }
  if (multiplying === "bf16" && arithmetic !== "f32" && k > 0) {
    return byRounding(engine, visits, product, { a: a.operand, b: b.operand, shared: b.sharedByBatch }, threads)
  }
  const dense = batch === 1 && !a.transposed && product.a.stride === k
  const splits = type === "bf16" && multiplying === "parts" && dense && !accumulate && m > 0 && k > 0
  return splits ? byParts(visits, product, threads) : [product]
}

/** Rounds A, and B or some of its rows after the others, and multiplies. */
const byRounding = (
  engine: Placing,
  visits: Visits,
  product: ProductTask,
  { a, b, shared }: { readonly a: Operand; readonly b: Operand; readonly shared: boolean },
  threads: number
): readonly Task[] => {
  const { batch, m, n, k } = product
  const left = roundFactor(engine, visits, a, batch * m * k)
  const rounded: ProductTask = { ...product, a: { ...product.a, ...left.place, type: "bf16", batchBytes: 2 * m * k } }
  const multiplied = (task: ProductTask, place: Place): ProductTask => ({
    ...task,
    b: { ...task.b, ...place, type: "bf16", batchBytes: shared ? 0 : 2 * k * n }
  })
  const [rows, columns] = product.b.transposed ? [n, k] : [k, n]
  const most = Math.max(1, Math.floor(factorBytes / (2 * Math.max(1, columns))))
  if (batch > 1 || rows <= most || b.dtype === "bf16") {
    const right = roundFactor(engine, visits, b, (shared ? 1 : batch) * k * n)
    return [...left.tasks, ...right.tasks, multiplied(rounded, right.place)]
  }
  const { memory, offset } = product.b
  const place = { memory, offset: visits.borrow(2 * most * columns, memory).offset }
  const chunks = Array.from({ length: Math.ceil(rows / most) }, (_, index): readonly Task[] => {
    const first = index * most
    const count = Math.min(most, rows - first)
    const from = { memory, offset: offset + elementBytes(b.dtype) * first * columns }
    const part = product.b.transposed ? columnsOf(rounded, first, count, threads) : termsOf(rounded, first, count)
    return [rounding(from, b.dtype, count * columns, place), multiplied(part, place)]
  })
  return [...left.tasks, ...chunks.flat()]
}

/** The part of a product that gives some columns of C. */
const columnsOf = (product: ProductTask, first: number, count: number, threads: number): ProductTask => ({
  ...product,
  n: count,
  c: { ...product.c, offset: product.c.offset + 4 * first },
  ...(product.bias === undefined ? {} : { bias: product.bias + 4 * first }),
  ...slices(1, product.m, count, product.k, threads)
})

/** The part of a product that adds some terms of its sums, for A in bf16; the first part has the bias. */
const termsOf = ({ bias, ...product }: ProductTask, first: number, count: number): ProductTask => {
  const { stride, transposed, offset } = product.a
  return {
    ...product,
    k: count,
    a: { ...product.a, offset: offset + 2 * first * (transposed ? stride : 1) },
    accumulate: product.accumulate || first > 0,
    ...(bias === undefined || first > 0 ? {} : { bias })
  }
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
