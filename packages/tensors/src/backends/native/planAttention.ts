/** Plans attention: blocks of queries, strides of heads, where key-value gradients are summed. */
import { UnsupportedKernel } from "../../core/Errors.ts"
import type { Operand } from "../../core/Operand.ts"
import type { AttentionCall, AttentionGradientCall } from "./NativeBody.ts"
import type { Placing } from "./Placing.ts"
import { type Place, panelBytes, scratchBytes } from "./thread/Thread.ts"
import type { AttentionGradientTask, AttentionTask, Heads, RowsTask, TaskOperand } from "./thread/tasks.ts"
import type { Visits } from "./Visits.ts"

/** Bytes of scores in a block. Keys and values are packed anew for each block, which costs more than leaving the cache. */
const scoreBytes = 2 * 2 ** 20

/** Queries of a block where later keys are hidden: a block computes all scores up to what its last query sees. */
const causalRows = 64

/** Queries of a block whose `copies` blocks of scores, and a number a row, fit the scratch of a thread. */
const blockRows = (
  engine: Placing,
  { queries, keys, causal }: Pick<AttentionCall, "queries" | "keys" | "causal">,
  copies: number
): number => {
  const rowBytes = 4 * (copies * keys + 1)
  if (rowBytes > scratchBytes - panelBytes) {
    throw new UnsupportedKernel(engine.kernel, "native", `scores of ${keys} keys do not fit its scratch`)
  }
  const fitting = Math.floor(Math.min(scoreBytes, scratchBytes - panelBytes) / rowBytes)
  // Multiples of the product's tile, unless rows are very long.
  if (causal && fitting > causalRows) return Math.min(Math.max(1, queries), causalRows)
  return Math.min(Math.max(1, queries), fitting < 8 ? Math.max(1, fitting) : fitting - (fitting % 8))
}

/** Rows of heads without gaps: [B, rows, heads, width]. */
const dense = ({ memory, offset }: Place, rows: number, heads: number, width: number): Heads => ({
  memory,
  offset,
  itemStride: rows * heads * width,
  rowStride: heads * width,
  headStride: width
})

/** Bytes of keys and values below which one thread attends alone: waking another costs more than it brings. */
const bytesAlone = 64 * 1024

/**
 * One query of each item, which stands last and sees every key: the heads that share keys together, without products.
 * Runs where the keys are, as they are most of it, and the values beside them; undefined where the scores are too long.
 */
const planQuery = (engine: Placing, visits: Visits, call: AttentionCall): RowsTask | undefined => {
  const { batch, keys, heads, groups, width, scale } = call
  const perGroup = heads / groups
  const home = engine.place(call.k).memory
  if (4 * perGroup * (keys + 1) > panelBytes) return undefined
  const operand = (item: Operand | undefined, writes = false): TaskOperand => {
    const uses = { reads: !writes, writes }
    const offset = item ? visits.whole(engine.visitor(item, uses, home), home) : 0
    return { memory: home, offset, rowBytes: 0, partBytes: 0, ...uses }
  }
  const rows = batch * groups
  return {
    kind: "rows",
    entry: "attentionQuery",
    home,
    rows,
    partRows: 8 * rows * keys * width < bytesAlone ? Math.max(1, rows) : 1,
    together: 1,
    scratch: true,
    operands: [
      operand(call.q),
      operand(call.k),
      operand(call.v),
      operand(call.keyMask),
      operand(call.y, true),
      operand(call.logSumExp, true)
    ],
    scalars: [keys, groups, perGroup, width, scale]
  }
}

export const planAttention = (engine: Placing, visits: Visits, call: AttentionCall): AttentionTask | RowsTask => {
  const alone = call.queries === 1 ? planQuery(engine, visits, call) : undefined
  return alone ?? planBlocks(engine, visits, call)
}

const planBlocks = (engine: Placing, visits: Visits, call: AttentionCall): AttentionTask => {
  const { batch, queries, keys, heads, groups, width, causal, scale, q, k, v, keyMask, y, logSumExp } = call
  const target = engine.place(y, { preferred: engine.place(q).memory })
  const home = target.memory
  const inHome = (operand: Operand, writes: boolean): number =>
    visits.whole(engine.visitor(operand, { reads: !writes, writes }, home), home)
  const shared = {
    kind: "attention",
    batch,
    keys,
    width,
    scale,
    k: dense(engine.place(k), keys, groups, width),
    v: dense(engine.place(v), keys, groups, width),
    statistics: inHome(logSumExp, true),
    ...(keyMask ? { mask: inHome(keyMask, false) } : {})
  } as const
  return {
    ...shared,
    queries,
    heads,
    headsPerGroup: heads / groups,
    causal,
    blockRows: blockRows(engine, call, 1),
    q: dense(engine.place(q), queries, heads, width),
    y: dense(target, queries, heads, width)
  }
}

interface AttentionGradientPlan {
  readonly task: AttentionGradientTask
  /** Sums over the heads that share keys and values. */
  readonly reductions: readonly RowsTask[]
}

export const planAttentionGradient = (
  engine: Placing,
  visits: Visits,
  call: AttentionGradientCall
): AttentionGradientPlan => {
  const { batch, queries, keys, heads, groups, width, causal, scale } = call
  const target = engine.place(call.dq, { preferred: engine.place(call.q).memory })
  const home = target.memory
  const inHome = (operand: Operand, writes = false): Place => ({
    memory: home,
    offset: visits.whole(engine.visitor(operand, { reads: !writes, writes }, home), home)
  })
  const perGroup = heads / groups
  const perHead = 4 * batch * keys * heads * width
  const [dkSums, dvSums] = [call.dk, call.dv].map((gradient) => inHome(gradient, true)) as [Place, Place]
  const ofHeads = (sums: Place): Place => (perGroup === 1 ? sums : visits.borrow(perHead, home))
  const [dk, dv] = [ofHeads(dkSums), ofHeads(dvSums)]
  const queryRows = (place: Place): Heads => dense(place, queries, heads, width)
  const task: AttentionGradientTask = {
    kind: "attentionGradient",
    batch,
    queries,
    keys,
    heads,
    headsPerGroup: perGroup,
    width,
    causal,
    scale,
    blockRows: blockRows(engine, call, 2),
    q: queryRows(engine.place(call.q)),
    k: dense(engine.place(call.k), keys, groups, width),
    v: dense(engine.place(call.v), keys, groups, width),
    y: queryRows(inHome(call.y)),
    dy: queryRows(inHome(call.dy)),
    dq: queryRows(target),
    dk: dense(dk, keys, heads, width),
    dv: dense(dv, keys, heads, width),
    statistics: inHome(call.logSumExp).offset,
    ...(call.keyMask ? { mask: inHome(call.keyMask).offset } : {})
  }
  const sum = (from: Place, to: Place): RowsTask => ({
    kind: "rows",
    entry: "sumHeads",
    home,
    rows: batch * keys * groups,
    partRows: Math.max(1, Math.ceil((256 * 1024) / (4 * (perGroup + 1) * width))),
    together: 1,
    scratch: false,
    operands: [
      { ...from, rowBytes: 4 * perGroup * width, partBytes: 0, reads: true, writes: false },
      { ...to, rowBytes: 4 * width, partBytes: 0, reads: false, writes: true }
    ],
    scalars: [perGroup, width]
  })
  return { task, reductions: perGroup === 1 ? [] : [sum(dk, dkSums), sum(dv, dvSums)] }
}
