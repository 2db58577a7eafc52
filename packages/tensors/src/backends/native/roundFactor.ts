/** A factor of a product in bf16: taken as it is stored, or rounded into memory of the call. */
import type { Operand } from "../../core/Operand.ts"
import type { Placing } from "./Placing.ts"
import type { Place } from "./thread/Thread.ts"
import type { RowsTask } from "./thread/tasks.ts"
import type { Visits } from "./Visits.ts"

/** Elements that one part of a task that rounds or splits takes. */
export const partElements = 32 * 1024

/** Where the first `elements` of an operand are as bf16, once the tasks are done. */
export const roundFactor = (
  engine: Placing,
  visits: Visits,
  operand: Operand,
  elements: number
): { readonly place: Place; readonly tasks: readonly RowsTask[] } => {
  const from = engine.place(operand)
  if (operand.dtype === "bf16") return { place: from, tasks: [] }
  const { memory } = from
  const place = { memory, offset: visits.borrow(2 * elements, memory).offset }
  const half = operand.dtype === "f16"
  const task: RowsTask = {
    kind: "rows",
    entry: half ? "cast" : "roundBfloat16",
    home: memory,
    rows: elements,
    partRows: partElements,
    together: 1,
    scratch: false,
    operands: [
      { memory, offset: from.offset, rowBytes: half ? 2 : 4, partBytes: 0, reads: true, writes: false },
      { ...place, rowBytes: 2, partBytes: 0, reads: false, writes: true }
    ],
    // From half to bfloat16.
    scalars: half ? [2, 1] : []
  }
  return { place, tasks: elements === 0 ? [] : [task] }
}
