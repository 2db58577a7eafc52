/**
 * Tasks as numbers in the memory that threads share: handing one out allocates nothing. Names of entries travel as their
 * place in the list of exports, which is the same on all threads; what is absent travels as -1.
 */
import type {
  AttentionGradientTask,
  AttentionTask,
  Decoder,
  FactorType,
  Heads,
  Matrix,
  RowsTask,
  Task,
  TaskOperand,
  WeightType
} from "./tasks.ts"

const kinds = ["rows", "several", "product", "attention", "attentionGradient"] as const
const weightTypes: readonly WeightType[] = ["f32", "bf16", "f16", "codes"]
const factorTypes: readonly FactorType[] = ["f32", "bf16"]
const absent = -1
/** Numbers of a row task besides its operands and scalars, and of one operand. */
const [headNumbers, operandNumbers] = [9, 5]

/** Writes numbers one after the other. */
class Writer {
  private readonly numbers: Float64Array
  private at = 0

  constructor(numbers: Float64Array) {
    this.numbers = numbers
  }

  put(value: number): void {
    this.numbers[this.at++] = value
  }

  flag(value: boolean): void {
    this.put(value ? 1 : 0)
  }

  matrix({ memory, offset, stride, transposed, batchBytes }: Matrix): void {
    this.put(memory)
    this.put(offset)
    this.put(stride)
    this.flag(transposed)
    this.put(batchBytes)
  }

  decoder({ grid, origin, step, group, bits, sharing, scaleType }: Decoder): void {
    this.put(grid)
    this.put(origin)
    this.put(step)
    this.put(group)
    this.put(bits)
    this.put(sharing)
    this.put(scaleType)
  }

  heads({ memory, offset, itemStride, rowStride, headStride }: Heads): void {
    this.put(memory)
    this.put(offset)
    this.put(itemStride)
    this.put(rowStride)
    this.put(headStride)
  }
}

/** Reads them in the same order. */
class Reader {
  private readonly numbers: Float64Array
  private at = 0

  constructor(numbers: Float64Array) {
    this.numbers = numbers
  }

  take(): number {
    return this.numbers[this.at++]!
  }

  flag(): boolean {
    return this.take() === 1
  }

  // Members of a literal are evaluated in the order in which they are written down.
  matrix(): Matrix {
    return {
      memory: this.take(),
      offset: this.take(),
      stride: this.take(),
      transposed: this.flag(),
      batchBytes: this.take()
    }
  }

  decoder(): Decoder {
    return {
      grid: this.take(),
      origin: this.take(),
      step: this.take(),
      group: this.take(),
      bits: this.take(),
      sharing: this.take(),
      scaleType: this.take()
    }
  }

  heads(): Heads {
    return {
      memory: this.take(),
      offset: this.take(),
      itemStride: this.take(),
      rowStride: this.take(),
      headStride: this.take()
    }
  }

  operand(): TaskOperand {
    const [memory, offset, rowBytes, partBytes, uses] = [
      this.take(),
      this.take(),
      this.take(),
      this.take(),
      this.take()
    ]
    return { memory, offset, rowBytes, partBytes, reads: (uses & 1) !== 0, writes: (uses & 2) !== 0 }
  }

  optional(): number | undefined {
    const value = this.take()
    return value === absent ? undefined : value
  }
}

const writeAttention = (writer: Writer, task: AttentionTask | AttentionGradientTask): void => {
  writer.put(factorTypes.indexOf(task.type))
  writer.put(task.batch)
  writer.put(task.queries)
  writer.put(task.keys)
  writer.put(task.heads)
  writer.put(task.headsPerGroup)
  writer.put(task.width)
  writer.flag(task.causal)
  writer.put(task.scale)
  writer.put(task.blockRows)
  writer.put(task.statistics)
  writer.put(task.mask ?? absent)
  for (const heads of [task.q, task.k, task.v, task.y]) writer.heads(heads)
}

const readAttention = (reader: Reader): Omit<AttentionTask, "kind"> => {
  const head = {
    type: factorTypes[reader.take()]!,
    batch: reader.take(),
    queries: reader.take(),
    keys: reader.take(),
    heads: reader.take(),
    headsPerGroup: reader.take(),
    width: reader.take(),
    causal: reader.flag(),
    scale: reader.take(),
    blockRows: reader.take(),
    statistics: reader.take()
  }
  const mask = reader.optional()
  const places = { q: reader.heads(), k: reader.heads(), v: reader.heads(), y: reader.heads() }
  return { ...head, ...places, ...(mask === undefined ? {} : { mask }) }
}

const writeRows = (writer: Writer, task: RowsTask, entries: ReadonlyMap<string, number>): void => {
  const { operands, scalars } = task
  const entry = entries.get(task.entry)
  if (entry === undefined) {
    throw new RangeError(`the WebAssembly kernels have no function "${task.entry}"; build them again`)
  }
  writer.put(entry)
  writer.put(task.home)
  writer.put(task.rows)
  writer.put(task.partRows)
  writer.put(task.together)
  writer.flag(task.scratch)
  writer.put(operands.length)
  for (const { memory, offset, rowBytes, partBytes, reads, writes } of operands) {
    writer.put(memory)
    writer.put(offset)
    writer.put(rowBytes)
    writer.put(partBytes)
    writer.put((reads ? 1 : 0) + (writes ? 2 : 0))
  }
  writer.put(scalars.length)
  for (const scalar of scalars) writer.put(scalar)
}

const readRows = (reader: Reader, entries: readonly string[]): RowsTask => ({
  kind: "rows",
  entry: entries[reader.take()]!,
  home: reader.take(),
  rows: reader.take(),
  partRows: reader.take(),
  together: reader.take(),
  scratch: reader.flag(),
  operands: Array.from({ length: reader.take() }, () => reader.operand()),
  scalars: Array.from({ length: reader.take() }, () => reader.take())
})

/** Numbers that a task of so many operands and scalars is written as. */
const lengthOf = ({ operands, scalars }: RowsTask): number =>
  headNumbers + operandNumbers * operands.length + scalars.length

/** Throws RangeError where row tasks do not fit; all others do. */
const checkLength = (task: Task, numbers: Float64Array): void => {
  if (task.kind !== "rows" && task.kind !== "several") return
  const tasks = task.kind === "rows" ? [task] : task.tasks
  const length = tasks.reduce((sum, each) => sum + lengthOf(each), task.kind === "rows" ? 0 : 2)
  if (length > numbers.length) throw new RangeError(`a task of ${length} numbers is too long`)
}

/** Writes a task into `numbers`. Throws RangeError when it does not fit or names no entry of the kernels. */
export const writeTask = (task: Task, numbers: Float64Array, entries: ReadonlyMap<string, number>): void => {
  checkLength(task, numbers)
  const writer = new Writer(numbers)
  writer.put(kinds.indexOf(task.kind))
  switch (task.kind) {
    case "rows":
      writeRows(writer, task, entries)
      break
    case "several":
      writer.put(task.tasks.length)
      for (const each of task.tasks) writeRows(writer, each, entries)
      break
    case "product":
      writer.put(task.batch)
      writer.put(task.m)
      writer.put(task.n)
      writer.put(task.k)
      writer.matrix(task.a)
      writer.put(factorTypes.indexOf(task.a.type))
      writer.matrix(task.b)
      writer.put(weightTypes.indexOf(task.b.type))
      if (task.decoder !== undefined) writer.decoder(task.decoder)
      writer.matrix(task.c)
      writer.flag(task.accumulate)
      writer.put(task.bias ?? absent)
      writer.put(task.parts ?? absent)
      writer.put(task.sliceM)
      writer.put(task.sliceN)
      break
    case "attention":
      writeAttention(writer, task)
      break
    case "attentionGradient":
      writeAttention(writer, task)
      for (const heads of [task.dy, task.downstream, task.dq, task.dk, task.dv]) writer.heads(heads)
      break
  }
}

/** The task that `writeTask` wrote. */
export const readTask = (numbers: Float64Array, entries: readonly string[]): Task => {
  const reader = new Reader(numbers)
  const kind = kinds[reader.take()]
  switch (kind) {
    case "rows":
      return readRows(reader, entries)
    case "several":
      return { kind, tasks: Array.from({ length: reader.take() }, () => readRows(reader, entries)) }
    case "product": {
      const [batch, m, n, k] = [reader.take(), reader.take(), reader.take(), reader.take()]
      const a = { ...reader.matrix(), type: factorTypes[reader.take()]! }
      const b = { ...reader.matrix(), type: weightTypes[reader.take()]! }
      const decoder = b.type === "codes" ? { decoder: reader.decoder() } : {}
      const [c, accumulate] = [reader.matrix(), reader.flag()]
      const [bias, parts] = [reader.optional(), reader.optional()]
      const cut = { sliceM: reader.take(), sliceN: reader.take() }
      const product = { kind, batch, m, n, k, a, b, ...decoder, c, accumulate, ...cut }
      return { ...product, ...(bias === undefined ? {} : { bias }), ...(parts === undefined ? {} : { parts }) }
    }
    case "attention":
      return { kind, ...readAttention(reader) }
    case "attentionGradient": {
      const attention = readAttention(reader)
      const [dy, downstream] = [reader.heads(), reader.heads()]
      return { kind, ...attention, dy, downstream, dq: reader.heads(), dk: reader.heads(), dv: reader.heads() }
    }
    case undefined:
      throw new RangeError("the shared memory holds no task")
  }
}
