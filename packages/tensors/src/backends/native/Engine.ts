/** Plans the calls of kernels: in which memory they run, what is copied there, how the work is cut into parts. */
import type { Handle, Operand } from "../../Backend.ts"
import { bytesOfArray, elementBytes } from "../../DType.ts"
import { UnsupportedKernel } from "../../Errors.ts"
import type { Memories, Room } from "./Memories.ts"
import type { NativeEngine, PartialSums, ProductCall, ProductOperand, RowOperand, RowsCall } from "./NativeBody.ts"
import type { Pool } from "./Pool.ts"
import { slices } from "./slices.ts"
import { fitsScratch } from "./thread/rows.ts"
import { panelBytes, scratchBytes } from "./thread/Thread.ts"
import type { Matrix, RowsTask, TaskOperand } from "./thread/tasks.ts"

/** Storage of a tensor. It gets its place when it is written first, because what writes it tells where it belongs. */
export interface Stored extends Handle {
  room: Room | undefined
}

/** Memory traffic of one part of a row task: enough to outweigh handing it out, little enough to balance the threads. */
const bytesPerPart = 256 * 1024
/** Parts that keep sums of their own are fewer, so that adding up costs little. */
const mostPartials = 32
/** At and below this many rows of x, y = x W^T is bound by reading W: one pass of dot products. */
const mostDotRows = 8
/** Tables that are kept, the oldest goes first. */
const mostTables = 8
const typeCode = { f32: 0, bf16: 1, f16: 2, u8: 3, i32: 4 } as const

export class Engine implements NativeEngine {
  private readonly memories: Memories
  private readonly pool: Pool
  private readonly tables = new Map<string, Operand>()
  /** The kernel of the current call, for errors. */
  kernel = ""

  constructor(memories: Memories, pool: Pool) {
    this.memories = memories
    this.pool = pool
  }

  /** The place of an operand, found now if it has none: beside the other operands when it is computed from them. */
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

  bytes(operand: Operand): Uint8Array {
    return this.memories.view(this.place(operand), operand.handle.bytes)
  }

  table(key: string, make: () => Float32Array): Operand {
    const known = this.tables.get(key)
    if (known !== undefined) return known
    const [oldest] = this.tables
    if (oldest !== undefined && this.tables.size >= mostTables) {
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
    const { entry, rows, partials = [], scalars = [] } = call
    if (rows === 0) {
      this.combine(0, partials, [], this.homeOf(call.operands))
      return
    }
    const home = this.homeOf(call.operands)
    const partRows = this.partRows(call)
    const parts = Math.ceil(rows / partRows)
    const borrowed: Room[] = []
    try {
      const present = call.operands.map((item) => this.locate(item, home))
      const staged = present.map((item) => this.stage(item, home, borrowed, false))
      const sums = partials.map(({ bytes }) => this.zeroed(parts * bytes, home, borrowed))
      const task: RowsTask = {
        kind: "rows",
        entry,
        home,
        rows,
        partRows,
        scratch: call.scratch ?? false,
        operands: [
          ...staged,
          ...sums.map((room, index) => ({
            memory: home,
            offset: room.offset,
            rowBytes: 0,
            partBytes: partials[index]!.bytes,
            reads: true,
            writes: true
          }))
        ],
        scalars
      }
      const fitting = fitsScratch(task, scratchBytes - panelBytes)
        ? task
        : { ...task, operands: task.operands.map((item) => this.stage(item, home, borrowed, true)) }
      this.pool.run(this.kernel, fitting)
      this.copyBack(present, fitting.operands)
      this.combine(parts, partials, sums, home)
    } finally {
      for (const room of borrowed) this.memories.release(room)
    }
  }

  product(call: ProductCall): void {
    const { batch, m, n, k, a, b, c, bias, accumulate = false } = call
    const type = b.operand.dtype
    if (type === "u8" || type === "i32") throw new UnsupportedKernel(this.kernel, "native", `b is ${type}`)
    if (batch === 1 && m <= mostDotRows && m > 0 && !a.transposed && b.transposed && k > 0) {
      this.dotRows(call)
      return
    }
    if (4 * k > scratchBytes - panelBytes && type !== "f32") {
      throw new UnsupportedKernel(this.kernel, "native", `rows of ${k} ${type} weights do not fit its scratch`)
    }
    const preferred = this.place(a.operand).memory
    const target = this.place({ handle: c.handle }, { preferred })
    const borrowed: Room[] = []
    try {
      const biasRoom = bias && this.whole(this.place(bias), bias.handle.bytes, target.memory, borrowed)
      const { sliceM, sliceN } = slices(batch, m, n, k, this.pool.threads)
      const matrix = (item: ProductOperand, rows: number, columns: number): Matrix => {
        const { operand, transposed, stride = transposed ? rows : columns, batchStride = rows * columns } = item
        return { ...this.at(operand), stride, transposed, batchBytes: elementBytes(operand.dtype) * batchStride }
      }
      this.pool.run(this.kernel, {
        kind: "product",
        batch,
        m,
        n,
        k,
        a: matrix(a, m, k),
        b: { ...matrix(b.sharedByBatch ? { ...b, batchStride: 0 } : b, k, n), type },
        c: { memory: target.memory, offset: target.offset, stride: n, transposed: false, batchBytes: 4 * m * n },
        accumulate,
        ...(biasRoom === undefined ? {} : { bias: biasRoom.offset }),
        sliceM,
        sliceN
      })
    } finally {
      for (const room of borrowed) this.memories.release(room)
    }
  }

  /** y[m, n] = sum over k of x[m, k] w[n, k] for few m: rows of w are read once, by all threads. */
  private dotRows({ m, n, k, a, b, c, bias, accumulate = false }: ProductCall): void {
    const { operand } = b
    const rowBytes = k * elementBytes(operand.dtype)
    this.rows({
      entry: "dotRows",
      rows: n,
      operands: [
        { operand, rowBytes, reads: true, writes: false },
        { operand: a.operand, rowBytes: 0, reads: true, writes: false },
        bias && { operand: bias, rowBytes: 0, reads: true, writes: false },
        { operand: c, rowBytes: 0, reads: accumulate, writes: true }
      ],
      scalars: [m, k, n, typeCode[operand.dtype], accumulate ? 1 : 0]
    })
  }

  private at(operand: Operand): { readonly memory: number; readonly offset: number } {
    const { memory, offset } = this.place(operand)
    return { memory, offset }
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

  private partRows({ rows, operands, partials, workPerRow, together = 1 }: RowsCall): number {
    const moved = operands.reduce(
      (sum, item) => sum + (item ? item.rowBytes * ((item.reads ? 1 : 0) + (item.writes ? 1 : 0)) : 0),
      0
    )
    const perRow = Math.max(1, workPerRow ?? moved)
    const wanted = Math.max(bytesPerPart / perRow, partials === undefined ? 1 : rows / mostPartials)
    // Elements are cut at cache lines.
    const unit = together * (perRow <= 64 ? 16 : 1)
    return Math.max(1, Math.ceil(wanted / unit)) * unit
  }

  private locate(item: RowOperand | undefined, home: number): TaskOperand & { readonly bytes: number } {
    if (item === undefined) {
      return { memory: home, offset: 0, rowBytes: 0, partBytes: 0, reads: false, writes: false, bytes: 0 }
    }
    const { memory, offset } = this.place(item.operand, { preferred: home })
    const { rowBytes, reads, writes } = item
    return { memory, offset, rowBytes, partBytes: 0, reads, writes, bytes: item.operand.handle.bytes }
  }

  /** A foreign operand that entries see as a whole is copied to the home memory; rows go through scratch when they fit. */
  private stage<T extends TaskOperand & { readonly bytes?: number }>(
    item: T,
    home: number,
    borrowed: Room[],
    rowsToo: boolean
  ): T {
    if (item.memory === home || item.bytes === undefined || (item.rowBytes > 0 && !rowsToo)) return item
    const room = this.borrow(item.bytes, home)
    borrowed.push(room)
    if (item.reads) this.memories.view(room, item.bytes).set(this.memories.view(item, item.bytes))
    return { ...item, memory: home, offset: room.offset }
  }

  private whole(room: Room, bytes: number, home: number, borrowed: Room[]): { readonly offset: number } {
    const { memory, offset } = room
    return this.stage(
      { memory, offset, rowBytes: 0, partBytes: 0, reads: true, writes: false, bytes },
      home,
      borrowed,
      false
    )
  }

  private copyBack(
    originals: readonly (TaskOperand & { readonly bytes: number })[],
    staged: readonly TaskOperand[]
  ): void {
    for (const [index, original] of originals.entries()) {
      const copy = staged[index]!
      if (!original.writes || copy.memory === original.memory) continue
      this.memories.view(original, original.bytes).set(this.memories.view(copy, original.bytes))
    }
  }

  private zeroed(bytes: number, home: number, borrowed: Room[]): Room {
    const room = this.borrow(bytes, home)
    borrowed.push(room)
    this.memories.view(room, bytes).fill(0)
    return room
  }

  /** Memory of one call in a given memory. */
  private borrow(bytes: number, home: number): Room {
    const room = this.memories.borrow(home, bytes)
    if (room !== undefined) return room
    throw new UnsupportedKernel(
      this.kernel,
      "native",
      `memory ${home} has no ${bytes} bytes left for operands that live elsewhere; use smaller operands`
    )
  }

  private combine(parts: number, partials: readonly PartialSums[], sums: readonly Room[], home: number): void {
    for (const [index, { bytes, combine, target, accumulate = false, scalars = [] }] of partials.entries()) {
      const borrowed: Room[] = []
      try {
        const located = this.locate({ operand: target, rowBytes: 0, reads: accumulate, writes: true }, home)
        const staged = this.stage(located, home, borrowed, true)
        const pointers = [sums[index]?.offset ?? 0, staged.offset]
        this.pool.run(this.kernel, {
          kind: "rows",
          entry: combine,
          home,
          rows: 1,
          partRows: 1,
          scratch: false,
          operands: [],
          scalars: [parts, bytes, ...pointers, ...scalars]
        })
        this.copyBack([located], [staged])
      } finally {
        for (const room of borrowed) this.memories.release(room)
      }
    }
  }
}
