/**
 * Attention of one head over a block of queries: scores by a product into scratch, softmax there, product with the values.
 * Rows of q, y and their gradients are strided, so heads are taken where they lie and nothing is transposed or copied.
 */
import { type Factor, multiply } from "./multiply.ts"
import type { Place, Thread } from "./Thread.ts"
import type { AttentionGradientTask, AttentionTask, Heads } from "./tasks.ts"

/** Rows of one head of an item, from row `row` on. */
const rowsOf = (heads: Heads, item: number, head: number, row: number): Factor => ({
  memory: heads.memory,
  offset: heads.offset + 4 * (item * heads.itemStride + head * heads.headStride + row * heads.rowStride),
  stride: heads.rowStride,
  transposed: false
})

const transposed = (factor: Factor): Factor => ({ ...factor, transposed: true })

/** Keys that the first query of a block sees (may be below 0), each further one a key more; all where not causal. */
const firstVisible = ({ causal, queries, keys }: Pick<AttentionTask, "causal" | "queries" | "keys">, query: number) =>
  causal ? query + 1 + keys - queries : keys

export const runAttention = (thread: Thread, task: AttentionTask, part: number): void => {
  const { queries, keys, heads, headsPerGroup, width, blockRows, scale, q, k, v, y, mask, statistics } = task
  const blocks = Math.ceil(queries / blockRows)
  const query = (part % blocks) * blockRows
  const head = Math.floor(part / blocks) % heads
  const item = Math.floor(part / (blocks * heads))
  const group = Math.floor(head / headsPerGroup)
  const rows = Math.min(blockRows, queries - query)
  const seen = Math.max(0, Math.min(keys, firstVisible(task, query) + rows - 1))
  const normalizers = thread.scratch
  const scores = { memory: y.memory, offset: normalizers + 4 * rows, stride: seen, transposed: false }
  const values = rowsOf(v, item, group, 0)
  const result = rowsOf(y, item, head, query)
  multiply(
    thread,
    rows,
    seen,
    width,
    rowsOf(q, item, head, query),
    transposed(rowsOf(k, item, group, 0)),
    scores,
    false
  )
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
  multiply(thread, rows, width, seen, scores, values, result, false)
  // The width of a head is less than the number of keys: dividing here is less work than dividing the exponentials.
  thread.entry(y.memory, "scaleRowsBy")(rows, width, result.offset, result.stride, normalizers)
}

/** The gradients of one head: of its queries, and of keys and values as far as this head uses them. */
export const runAttentionGradient = (thread: Thread, task: AttentionGradientTask, part: number): void => {
  const { queries, keys, heads, headsPerGroup, width, blockRows, scale, q, k, v, y, dy, dq, dk, dv } = task
  const { mask, statistics } = task
  const head = part % heads
  const item = Math.floor(part / heads)
  const group = Math.floor(head / headsPerGroup)
  const home = dq.memory
  const keyRows = rowsOf(k, item, group, 0)
  const valueRows = rowsOf(v, item, group, 0)
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
    const own = rowsOf(q, item, head, query)
    const downstream = rowsOf(dy, item, head, query)
    const dots = thread.scratch
    const result = rowsOf(y, item, head, query)
    thread.entry(home, "rowDots")(rows, width, downstream.offset, result.offset, downstream.stride, dots)
    multiply(thread, rows, seen, width, own, transposed(keyRows), scores, false)
    multiply(thread, rows, seen, width, downstream, transposed(valueRows), slopes, false)
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
    multiply(thread, rows, width, seen, slopes, keyRows, rowsOf(dq, item, head, query), false)
    multiply(thread, seen, width, rows, transposed(slopes), own, dkRows, true)
    multiply(thread, seen, width, rows, transposed(scores), downstream, dvRows, true)
  }
}
