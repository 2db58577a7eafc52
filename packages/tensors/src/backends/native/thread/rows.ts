/** Rows of a memory-bound kernel. */
import type { Thread } from "./Thread.ts"
import type { RowsTask } from "./tasks.ts"

/** Bytes staged at a time: half of a usual second-level cache, unless one row is more. */
const stagedBytes = 256 * 1024
const cacheLine = 64

/** Bytes of one row that go through scratch because they live in another memory. */
const foreignRowBytes = ({ operands, home }: Pick<RowsTask, "operands" | "home">): number =>
  operands.reduce((sum, { memory, rowBytes }) => sum + (memory === home ? 0 : rowBytes), 0)

/** Rows that fit `bytes` of scratch, as many as belong together; whole cache lines of f32 where that many fit. */
const rowsIn = (bytes: number, task: RowsTask): number => {
  const rows = Math.floor((bytes - cacheLine * task.operands.length) / foreignRowBytes(task))
  const lines = 16 * task.together
  return rows - (rows % (rows < lines ? task.together : lines))
}

/** Whether the foreign operands of as many rows as belong together fit the scratch of a thread. */
export const fitsScratch = (task: RowsTask, scratchBytes: number): boolean =>
  foreignRowBytes(task) === 0 || rowsIn(scratchBytes, task) >= task.together

export const runRows = (thread: Thread, task: RowsTask, part: number): void => {
  const { home, rows, partRows, operands, scalars } = task
  const entry = thread.entry(home, task.entry)
  const start = part * partRows
  const end = Math.min(rows, start + partRows)
  if (operands.every(({ memory, rowBytes }) => memory === home || rowBytes === 0)) {
    // One list, as a call that spreads several of them goes through their iterators.
    const parameters = [start, end - start]
    if (task.scratch) parameters.push(thread.panels)
    for (const { offset, rowBytes, partBytes } of operands) {
      parameters.push(offset + start * rowBytes + part * partBytes)
    }
    for (const scalar of scalars) parameters.push(scalar)
    entry(...parameters)
    return
  }
  const scratchPointer = task.scratch ? [thread.panels] : []
  // Through scratch a few rows at a time, so that the copies stay in the cache.
  const most = Math.max(task.together, rowsIn(stagedBytes, task))
  for (let first = start; first < end; first += most) {
    const count = Math.min(most, end - first)
    let scratch = thread.scratch
    const staged: (() => void)[] = []
    const pointers = operands.map(({ memory, offset, rowBytes, partBytes, reads, writes }) => {
      const place = { memory, offset: offset + first * rowBytes + part * partBytes }
      if (memory === home) return place.offset
      const copy = { memory: home, offset: scratch }
      scratch += Math.ceil((count * rowBytes) / cacheLine) * cacheLine
      if (reads) thread.copy(copy, place, count * rowBytes)
      if (writes) staged.push(() => thread.copy(place, copy, count * rowBytes))
      return copy.offset
    })
    entry(first, count, ...scratchPointer, ...pointers, ...scalars)
    for (const copyBack of staged) copyBack()
  }
}
