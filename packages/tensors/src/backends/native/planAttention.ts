/** Plans attention: blocks of queries, strides of heads, where key-value gradients are summed. */
import { UnsupportedKernel } from "../../core/Errors.ts"
import type { Operand } from "../../core/Operand.ts"
import { sizeOf } from "../../core/Shape.ts"
import type { AttentionCall, AttentionGradientCall } from "./NativeBody.ts"
import type { Placing } from "./Placing.ts"
import { roundFactor } from "./roundFactor.ts"
import { type Place, panelBytes, scratchBytes } from "./thread/Thread.ts"
import type {
  AttentionGradientTask,
  AttentionTask,
  FactorType,
  Heads,
  RowsTask,
  Task,
  TaskOperand
} from "./thread/tasks.ts"
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

/** One of queries (0), keys (1) and values (2) that lie side by side: rows of [B, rows, 3, heads, width]. */
const sideBySide = (
  { memory, offset }: Place,
  part: number,
  type: FactorType,
  { queries, heads, width }: AttentionCall
): Heads => {
  const row = heads * width
  const bytes = type === "f32" ? 4 : 2
  return {
    memory,
    offset: offset + bytes * part * row,
    itemStride: queries * 3 * row,
    rowStride: 3 * row,
    headStride: width
  }
}

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

interface Factors {
  readonly q: Heads
  readonly k: Heads
  readonly v: Heads
  readonly tasks: readonly Task[]
}

/** Where queries, keys and values are in a type, and the tasks that bring them there. */
const takeHeads = (engine: Placing, visits: Visits, call: AttentionCall, type: FactorType): Factors => {
  const { queries, keys, heads, groups, width, q, k, v } = call
  if (call.sideBySide) {
    const { places, tasks } = takeFactors(engine, visits, [q], type)
    const part = (index: number) => sideBySide(places[0]!, index, type, call)
    return { q: part(0), k: part(1), v: part(2), tasks }
  }
  const { places, tasks } = takeFactors(engine, visits, [q, k, v], type)
  const [queryPlace, keyPlace, valuePlace] = places as [Place, Place, Place]
  const ofKeys = (place: Place) => dense(place, keys, groups, width)
  return { q: dense(queryPlace, queries, heads, width), k: ofKeys(keyPlace), v: ofKeys(valuePlace), tasks }
}

/** Where factors are in a type, and the tasks that bring them there. */
const takeFactors = (engine: Placing, visits: Visits, operands: readonly Operand[], type: FactorType) => {
  const factors = operands.map((operand) =>
    type === "f32"
      ? { place: engine.place(operand), tasks: [] }
      : roundFactor(engine, visits, operand, sizeOf(operand.shape))
  )
  return { places: factors.map(({ place }) => place), tasks: factors.flatMap(({ tasks }) => tasks) }
}

/** Tasks to run one after the other. */
export const planAttention = (
  engine: Placing,
  visits: Visits,
  call: AttentionCall,
  type: FactorType
): readonly Task[] => {
  const alone = type === "f32" && call.queries === 1 && !call.sideBySide ? planQuery(engine, visits, call) : undefined
  return alone === undefined ? planBlocks(engine, visits, call, type) : [alone]
}

const planBlocks = (engine: Placing, visits: Visits, call: AttentionCall, type: FactorType): readonly Task[] => {
  const { batch, queries, keys, heads, groups, width, causal, scale, keyMask, y, logSumExp } = call
  const target = engine.place(y, { preferred: engine.place(call.q).memory })
  const home = target.memory
  const inHome = (operand: Operand, writes: boolean): number =>
    visits.whole(engine.visitor(operand, { reads: !writes, writes }, home), home)
  const { tasks, ...factors } = takeHeads(engine, visits, call, type)
  const attention: AttentionTask = {
    kind: "attention",
    type,
    batch,
    queries,
    keys,
    heads,
    headsPerGroup: heads / groups,
    width,
    causal,
    scale,
    blockRows: blockRows(engine, call, 1),
    ...factors,
    y: dense(target, queries, heads, width),
    statistics: inHome(logSumExp, true),
    ...(keyMask ? { mask: inHome(keyMask, false) } : {})
  }
  return [...tasks, attention]
}

/** Where gradients go, head by head, and the tasks that sum those of keys and values over the heads that share them. */
const gradientHeads = (
  inHome: (operand: Operand, writes: boolean) => Place,
  visits: Visits,
  target: Place,
  call: AttentionGradientCall
) => {
  const { batch, queries, keys, heads, groups, width } = call
  if (call.sideBySide) {
    const part = (index: number) => sideBySide(target, index, "f32", call)
    return { dq: part(0), dk: part(1), dv: part(2), sums: [] }
  }
  const perGroup = heads / groups
  const summed = (operand: Operand) => {
    const to = inHome(operand, true)
    const from = perGroup === 1 ? to : visits.borrow(4 * batch * keys * heads * width, target.memory)
    const sum: RowsTask = {
      kind: "rows",
      entry: "sumHeads",
      home: target.memory,
      rows: batch * keys * groups,
      partRows: Math.max(1, Math.ceil((256 * 1024) / (4 * (perGroup + 1) * width))),
      together: 1,
      scratch: false,
      operands: [
        { ...from, rowBytes: 4 * perGroup * width, partBytes: 0, reads: true, writes: false },
        { ...to, rowBytes: 4 * width, partBytes: 0, reads: false, writes: true }
      ],
      scalars: [perGroup, width]
    }
    return { rows: dense(from, keys, heads, width), sums: perGroup === 1 ? [] : [sum] }
  }
  const [dk, dv] = [summed(call.dk), summed(call.dv)]
  return { dq: dense(target, queries, heads, width), dk: dk.rows, dv: dv.rows, sums: [...dk.sums, ...dv.sums] }
}

/** Tasks to run one after the other; the last ones sum over the heads that share keys and values. */
export const planAttentionGradient = (
  engine: Placing,
  visits: Visits,
  call: AttentionGradientCall,
  type: FactorType
): readonly Task[] => {
  const { batch, queries, keys, heads, groups, width, causal, scale } = call
  const target = engine.place(call.dq, { preferred: engine.place(call.q).memory })
  const home = target.memory
  const inHome = (operand: Operand, writes = false): Place => ({
    memory: home,
    offset: visits.whole(engine.visitor(operand, { reads: !writes, writes }, home), home)
  })
  const { sums, ...gradients } = gradientHeads(inHome, visits, target, call)
  const queryRows = (place: Place): Heads => dense(place, queries, heads, width)
  const { tasks, ...factors } = takeHeads(engine, visits, call, type)
  const downstream = takeFactors(engine, visits, [call.dy], type)
  const task: AttentionGradientTask = {
    kind: "attentionGradient",
    type,
    batch,
    queries,
    keys,
    heads,
    headsPerGroup: heads / groups,
    width,
    causal,
    scale,
    blockRows: blockRows(engine, call, 2),
    ...factors,
    y: queryRows(inHome(call.y)),
    dy: queryRows(inHome(call.dy)),
    downstream: queryRows(downstream.places[0]!),
    ...gradients,
    statistics: inHome(call.logSumExp).offset,
    ...(call.keyMask ? { mask: inHome(call.keyMask).offset } : {})
  }
  return [...tasks, ...downstream.tasks, task, ...sums]
}
