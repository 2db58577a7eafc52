/**
 * Attention of one head over a block of queries: scores by a product into scratch, softmax there, product with the values.
 * Rows of q, y and their gradients are strided, so heads are taken where they lie and nothing is transposed or copied.
 */
import { type Factor, multiply, multiplyBfloat16 } from "./multiply.ts"
import type { Place, Thread } from "./Thread.ts"
import type { AttentionGradientTask, AttentionTask, FactorType, Heads } from "./tasks.ts"

const products = { f32: multiply, bf16: multiplyBfloat16 } as const
const bytesOf = { f32: 4, bf16: 2 } as const

/** Rows of one head of an item, from row `row` on. */
const rowsOf = (heads: Heads, item: number, head: number, row: number, type: FactorType = "f32"): Factor => ({
  memory: heads.memory,
  offset: heads.offset + bytesOf[type] * (item * heads.itemStride + head * heads.headStride + row * heads.rowStride),
  stride: heads.rowStride,
  transposed: false
})

/** A block of `count` f32 without gaps as a factor: rounded where it lies. */
const asFactor = (thread: Thread, block: Factor, count: number, type: FactorType): Factor => {
  if (type === "bf16") thread.entry(block.memory, "roundBfloat16")(0, count, block.offset, block.offset)
  return block
}

const transposed = (factor: Factor): Factor => ({ ...factor, transposed: true })

/** Keys that the first query of a block sees (may be below 0), each further one a key more; all where not causal. */
const firstVisible = ({ causal, queries, keys }: Pick<AttentionTask, "causal" | "queries" | "keys">, query: number) =>
  causal ? query + 1 + keys - queries : keys

export const runAttention = (thread: Thread, task: AttentionTask, part: number): void => {
  const { type, queries, keys, heads, headsPerGroup, width, blockRows, scale, q, k, v, y, mask, statistics } = task
  const product = products[type]
  const blocks = Math.ceil(queries / blockRows)
  const query = (part % blocks) * blockRows
  const head = Math.floor(part / blocks) % heads
  const item = Math.floor(part / (blocks * heads))
  const group = Math.floor(head / headsPerGroup)
  const rows = Math.min(blockRows, queries - query)
  const seen = Math.max(0, Math.min(keys, firstVisible(task, query) + rows - 1))
  const normalizers = thread.scratch
  const scores = { memory: y.memory, offset: normalizers + 4 * rows, stride: seen, transposed: false }
  const values = rowsOf(v, item, group, 0, type)
  const result = rowsOf(y, item, head, query)
  const own = rowsOf(q, item, head, query, type)
  product(thread, rows, seen, width, own, transposed(rowsOf(k, item, group, 0, type)), scores, false)
  thread.entry(y.memory, "attentionRows")(
    rows,
    seen,
    scores.offset,
    mask === undefined ? 0 : mask + 4 * item * keys,
    statistics + 4 * ((item * heads + head) * queries + query),
    normalizers,
    firstVisible(task, query),
    scale
  )
  const weights = asFactor(thread, scores, rows * seen, type)
  product(thread, rows, width, seen, weights, values, result, false)
  // The width of a head is less than the number of keys: dividing here is less work than dividing the exponentials.
  thread.entry(y.memory, "scaleRowsBy")(rows, width, result.offset, result.stride, normalizers)
}

/** The gradients of one head: of its queries, and of keys and values as far as this head uses them. */
export const runAttentionGradient = (thread: Thread, task: AttentionGradientTask, part: number): void => {
  const { type, queries, keys, heads, headsPerGroup, width, blockRows, scale, q, k, v, y, dy, dq, dk, dv } = task
  const product = products[type]
  const { mask, statistics } = task
  const head = part % heads
  const item = Math.floor(part / heads)
  const group = Math.floor(head / headsPerGroup)
  const home = dq.memory
  const keyRows = rowsOf(k, item, group, 0, type)
  const valueRows = rowsOf(v, item, group, 0, type)
  const dkRows = rowsOf(dk, item, head, 0)
  const dvRows = rowsOf(dv, item, head, 0)
  for (const target of [dkRows, dvRows]) {
    thread.entry(target.memory, "clearRows")(keys, width, target.offset, target.stride)
  }
  for (let query = 0; query < queries; query += blockRows) {
    const rows = Math.min(blockRows, queries - query)
    const seen = Math.max(0, Math.min(keys, firstVisible(task, query) + rows - 1))
    const block = (index: number): Place & Factor => ({
      memory: home,
      offset: thread.scratch + 4 * (rows + index * rows * seen),
      stride: seen,
      transposed: false
    })
    const [scores, slopes] = [block(0), block(1)]
    const own = rowsOf(q, item, head, query, type)
    const downstream = rowsOf(task.downstream, item, head, query, type)
    const gradient = rowsOf(dy, item, head, query)
    const dots = thread.scratch
    const result = rowsOf(y, item, head, query)
    thread.entry(home, "rowDots")(rows, width, gradient.offset, result.offset, gradient.stride, dots)
    product(thread, rows, seen, width, own, transposed(keyRows), scores, false)
    product(thread, rows, seen, width, downstream, transposed(valueRows), slopes, false)
    thread.entry(home, "attentionGradientRows")(
      rows,
      seen,
      scores.offset,
      slopes.offset,
      mask === undefined ? 0 : mask + 4 * item * keys,
      statistics + 4 * ((item * heads + head) * queries + query),
      dots,
      firstVisible(task, query),
      scale
    )
    const [weights, changes] = [scores, slopes].map((each) => asFactor(thread, each, rows * seen, type)) as [
      Factor,
      Factor
    ]
    product(thread, rows, width, seen, changes, keyRows, rowsOf(dq, item, head, query), false)
    product(thread, seen, width, rows, transposed(changes), own, dkRows, true)
    product(thread, seen, width, rows, transposed(weights), downstream, dvRows, true)
  }
}
