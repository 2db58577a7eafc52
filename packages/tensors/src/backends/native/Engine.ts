/** Plans the calls of kernels: in which memory they run, what is copied there, how the work is cut into parts. */
import { bytesOfArray, elementBytes } from "../../core/DType.ts"
import type { Handle, Operand } from "../../core/Operand.ts"
import { fewRows } from "./fewRows.ts"
import { Gathered } from "./Gathered.ts"
import type { Memories, Room } from "./Memories.ts"
import {
  type AttentionCall,
  type AttentionGradientCall,
  type NativeEngine,
  type PartialSums,
  type ProductCall,
  type RowOperand,
  type RowsCall,
  reading,
  writing
} from "./NativeBody.ts"
import type { Placing } from "./Placing.ts"
import type { Pool } from "./Pool.ts"
import { planAttention, planAttentionGradient } from "./planAttention.ts"
import { type Multiplying, planProduct } from "./planProduct.ts"
import { fitsScratch } from "./thread/rows.ts"
import { storedType } from "./thread/storedType.ts"
import { panelBytes, scratchBytes } from "./thread/Thread.ts"
import type { FactorType, RowsTask, Task, TaskOperand } from "./thread/tasks.ts"
import { type Visitor, Visits } from "./Visits.ts"

/** Storage of a tensor. It gets its place when it is written first, because what writes it tells where it belongs. */
export interface Stored extends Handle {
  room: Room | undefined
}

type Located = TaskOperand & Visitor

/** Memory traffic of one part of a row task: enough to outweigh handing it out, little enough to balance the threads. */
const bytesPerPart = 256 * 1024
/** Memory traffic of a row task below which waking another thread costs more than it brings. */
const bytesAlone = 96 * 1024
/** Parts that keep sums of their own are fewer, so that adding up costs little. */
const mostPartials = 32
/** Rows of W that a pass reads at once: parts of as many or a multiple leave none over to be read alone. */
const dotStreams = 8
/** Memory traffic of one part of them: the longer a stream, the less often it begins. */
const dotPartBytes = 2 ** 20
/** Tables that are kept, the oldest goes first. */
const mostTables = 8
const blockBytes = scratchBytes - panelBytes
/** Of f32 that are rounded to bf16 as they are read. */
const roundedCode = 3

export class Engine implements NativeEngine, Placing {
  private readonly memories: Memories
  private readonly pool: Pool
  private readonly multiplying: Multiplying
  private readonly tables = new Map<string, Operand>()
  /** Tasks of calls that run together, while there are such calls. */
  private gathered: Gathered | undefined
  /** The kernel of the current call, for errors. */
  kernel = ""

  constructor(memories: Memories, pool: Pool, multiplying: Multiplying) {
    this.memories = memories
    this.pool = pool
    this.multiplying = multiplying
  }

  /** The place of an operand, found now if it has none. */
  place(
    { handle }: { readonly handle: Handle },
    use: { readonly resident?: boolean; readonly preferred?: number } = {}
  ): Room {
    const stored = handle as Stored
    stored.room ??= this.memories.place(stored.bytes, use)
    return stored.room
  }

  /** Places storage that holds zeros from the start: accumulators and optimizer state. */
  clear(stored: Stored): void {
    this.kernel = "zeros"
    const operand = { handle: stored, dtype: stored.dtype, shape: stored.shape }
    this.place(operand, { resident: true })
    this.rows({ entry: "clear", rows: stored.bytes, operands: [{ operand, rowBytes: 1, reads: false, writes: true }] })
  }

  /**
   * Runs what `calls` asks for with as few tasks as may be: threads are woken once for calls that do not depend on each other. The bits
   * are those of one call after the other.
   */
  together<T>(calls: () => T): T {
    if (this.gathered !== undefined) return calls()
    this.gathered = new Gathered()
    try {
      return calls()
    } finally {
      // Also what was asked for before a call failed.
      try {
        this.settle()
      } finally {
        this.gathered = undefined
      }
    }
  }

  /** Runs the tasks that wait. */
  settle(): void {
    const waiting = this.gathered?.take()
    if (waiting !== undefined) this.pool.run(waiting.kernel, waiting.task)
  }

  /** Runs the tasks that wait if one of them reads or writes this storage. */
  settleFor(handle: Handle): void {
    if (this.gathered?.touches(handle)) this.settle()
  }

  bytes(operand: Operand): Uint8Array {
    this.settleFor(operand.handle)
    return this.memories.view(this.place(operand), operand.handle.bytes)
  }

  table(key: string, make: () => Float32Array): Operand {
    const known = this.tables.get(key)
    if (known !== undefined) return known
    const [oldest] = this.tables
    if (oldest !== undefined && this.tables.size >= mostTables) {
      this.settle()
      this.memories.release(this.place(oldest[1]))
      this.tables.delete(oldest[0])
    }
    const values = make()
    const shape = [values.length]
    const handle: Stored = { dtype: "f32", shape, bytes: values.byteLength, room: undefined }
    const operand = { handle, dtype: "f32", shape } as const
    this.bytes(operand).set(bytesOfArray(values))
    this.tables.set(key, operand)
    return operand
  }

  rows(call: RowsCall): void {
    const home = this.homeOf(call.operands)
    const partRows = this.partRows(call)
    const operands = call.operands.map((item) => this.locate(item, home))
    const task = (withSums: readonly TaskOperand[]): RowsTask => ({
      kind: "rows",
      entry: call.entry,
      home,
      rows: call.rows,
      partRows,
      together: call.together ?? 1,
      scratch: call.scratch ?? false,
      operands: withSums,
      scalars: call.scalars ?? []
    })
    if (call.partials === undefined && operands.every(({ memory }) => memory === home)) {
      this.runRows(task(operands), call.operands)
      return
    }
    this.visiting((visits) => {
      const parts = Math.ceil(call.rows / partRows)
      const sums = (call.partials ?? []).map(({ bytes }) => visits.zeroed(parts * bytes, home))
      const sumOperands = sums.map((offset, index): TaskOperand => {
        const partBytes = call.partials![index]!.bytes
        return { memory: home, offset, rowBytes: 0, partBytes, reads: true, writes: true }
      })
      const stage = (item: Located): Located => ({ ...item, memory: home, offset: visits.whole(item, home) })
      // Rows of foreign operands go through scratch; only what does not fit there is copied as a whole.
      const byRows = task([...operands.map((item) => (item.rowBytes > 0 ? item : stage(item))), ...sumOperands])
      const fits = fitsScratch(byRows, blockBytes)
      this.run(fits ? byRows : task([...operands.map(stage), ...sumOperands]))
      for (const [index, partial] of (call.partials ?? []).entries()) {
        this.combine(visits, partial, parts, sums[index]!, home)
      }
    })
  }

  product(call: ProductCall): void {
    const { batch, m, k, a, b } = call
    const rounds = this.factorType === "bf16" && call.arithmetic !== "f32"
    const few =
      b.decoder === undefined && batch === 1 && m > 0 && m <= fewRows && k > 0 && !a.transposed && b.transposed
    if (few && !(rounds && b.operand.dtype === "f16")) {
      if (rounds) this.roundedDotRows(call)
      else this.dotRows(call, storedType[b.operand.dtype])
      return
    }
    const { pool, multiplying } = this
    this.runAll((visits) => planProduct(this, visits, { threads: pool.threads, multiplying }, call))
  }

  attention(call: AttentionCall): void {
    this.runAll((visits) => planAttention(this, visits, call, this.factorType))
  }

  attentionGradient(call: AttentionGradientCall): void {
    this.runAll((visits) => planAttentionGradient(this, visits, call, this.factorType))
  }

  private get factorType(): FactorType {
    return this.multiplying === "bf16" ? "bf16" : "f32"
  }

  /** Runs a task once those that wait have run. */
  private run(task: Task): void {
    this.settle()
    this.pool.run(this.kernel, task)
  }

  /** Runs a row task, or lets it wait for others that it does not depend on. */
  private runRows(task: RowsTask, operands: readonly (RowOperand | undefined)[]): void {
    if (this.gathered === undefined) {
      this.pool.run(this.kernel, task)
      return
    }
    if (!this.gathered.takes(operands)) this.settle()
    this.gathered.add(this.kernel, task, operands)
  }

  /** A call with memory of its own, which ends with it. */
  private visiting(body: (visits: Visits) => void): void {
    this.settle()
    Visits.during(this.kernel, this.memories, (visits) => {
      try {
        body(visits)
      } finally {
        this.settle()
      }
    })
  }

  /** Runs the tasks of a call one after the other. */
  private runAll(plan: (visits: Visits) => readonly Task[]): void {
    this.visiting((visits) => {
      for (const task of plan(visits)) this.run(task)
    })
  }

  /** An operand as one that may have to visit another memory. */
  visitor(
    operand: Operand,
    { reads = false, writes = false }: { readonly reads?: boolean; readonly writes?: boolean },
    preferred?: number
  ): Visitor {
    const { memory, offset } = this.place(operand, preferred === undefined ? {} : { preferred })
    return { memory, offset, bytes: operand.handle.bytes, reads, writes }
  }

  /** y[m, n] = sum over k of x[m, k] w[n, k] for few m: rows of w are read once, by all threads. */
  private dotRows({ m, n, k, a, b, c, bias, accumulate = false }: ProductCall, type: number): void {
    const whole = (operand: Operand, reads: boolean, writes: boolean) => ({ operand, rowBytes: 0, reads, writes })
    const { operand } = b
    this.rows({
      entry: "dotRows",
      rows: n,
      together: dotStreams,
      partBytes: dotPartBytes,
      operands: [
        { operand, rowBytes: k * elementBytes(operand.dtype), reads: true, writes: false },
        whole(a.operand, true, false),
        bias && whole(bias, true, false),
        whole(c, accumulate, true)
      ],
      scalars: [m, k, n, type, accumulate ? 1 : 0]
    })
  }

  /** The same of factors rounded to bf16: x before, w as it is read. */
  private roundedDotRows(call: ProductCall): void {
    const { m, k, a, b } = call
    const shape = [m, k]
    this.visiting((visits) => {
      const room = visits.borrow(4 * m * k, this.place(a.operand).memory)
      const handle: Stored = { dtype: "f32", shape, bytes: 4 * m * k, room }
      const rounded: Operand = { handle, dtype: "f32", shape }
      this.rows({ entry: "roundValues", rows: m * k, operands: [reading(a.operand, 4), writing(rounded, 4)] })
      const type = b.operand.dtype === "f32" ? roundedCode : storedType[b.operand.dtype]
      this.dotRows({ ...call, a: { ...a, operand: rounded } }, type)
    })
  }

  /** The memory that holds most of what the rows touch; operands without a place go there if there is room. */
  private homeOf(operands: readonly (RowOperand | undefined)[]): number {
    const weights: number[] = []
    for (const item of operands) {
      const room = (item?.operand.handle as Stored | undefined)?.room
      if (room !== undefined) weights[room.memory] = (weights[room.memory] ?? 0) + room.bytes
    }
    let home = 0
    for (const [memory, weight] of weights.entries()) if ((weight ?? 0) > (weights[home] ?? 0)) home = memory
    return home
  }

  private partRows({ rows, operands, partials, workPerRow, partBytes = bytesPerPart, together = 1 }: RowsCall): number {
    const moved = operands.reduce(
      (sum, item) => sum + (item ? item.rowBytes * ((item.reads ? 1 : 0) + (item.writes ? 1 : 0)) : 0),
      0
    )
    const perRow = Math.max(1, workPerRow ?? moved)
    const { threads } = this.pool
    // As many parts for one thread as for another, so that none waits at the end.
    const rounds = rows * perRow < bytesAlone ? 0 : Math.ceil((rows * perRow) / (partBytes * threads))
    const even = rounds === 0 ? rows : rows / (rounds * threads)
    const wanted = Math.max(even, partials === undefined ? 1 : rows / mostPartials)
    // Elements are cut at cache lines.
    const unit = together * (perRow <= 64 ? 16 : 1)
    return Math.max(1, Math.ceil(wanted / unit)) * unit
  }

  private locate(item: RowOperand | undefined, home: number): Located {
    if (item === undefined) {
      return { memory: home, offset: 0, bytes: 0, rowBytes: 0, partBytes: 0, reads: false, writes: false }
    }
    const { operand, rowBytes, reads, writes } = item
    const { memory, offset } = (operand.handle as Stored).room ?? this.place(operand, { preferred: home })
    return { memory, offset, bytes: operand.handle.bytes, rowBytes, partBytes: 0, reads, writes }
  }

  private combine(visits: Visits, partial: PartialSums, parts: number, sums: number, home: number): void {
    const { bytes, combine, target, accumulate = false, scalars = [] } = partial
    const offset = visits.whole(this.visitor(target, { reads: accumulate, writes: true }, home), home)
    this.run(single(combine, home, [parts, bytes, sums, offset, ...scalars]))
  }
}

/** One call of an entry on the calling thread. */
const single = (entry: string, home: number, scalars: readonly number[]): RowsTask => ({
  kind: "rows",
  entry,
  home,
  rows: 1,
  partRows: 1,
  together: 1,
  scratch: false,
  operands: [],
  scalars
})
