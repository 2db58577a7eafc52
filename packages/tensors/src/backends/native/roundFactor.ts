/** A factor of a product in bf16: taken as it is stored, or rounded into memory of the call. */
import type { DType } from "../../core/DType.ts"
import type { Operand } from "../../core/Operand.ts"
import type { Placing } from "./Placing.ts"
import type { Place } from "./thread/Thread.ts"
import type { RowsTask } from "./thread/tasks.ts"
import type { Visits } from "./Visits.ts"

/** Elements that one part of a task that rounds or splits takes. */
export const partElements = 32 * 1024

/** Rounds elements of f32 or half. */
export const rounding = (from: Place, dtype: DType, elements: number, to: Place): RowsTask => {
  const half = dtype === "f16"
  return {
    kind: "rows",
    entry: half ? "cast" : "roundBfloat16",
    home: to.memory,
    rows: elements,
    partRows: partElements,
    together: 1,
    scratch: false,
    operands: [
      { ...place(from), rowBytes: half ? 2 : 4, partBytes: 0, reads: true, writes: false },
      { ...place(to), rowBytes: 2, partBytes: 0, reads: false, writes: true }
    ],
    // From half to bfloat16.
    scalars: half ? [2, 1] : []
  }
}

const place = ({ memory, offset }: Place): Place => ({ memory, offset })

/** Where the first `elements` of an operand are as bf16, once the tasks are done. */
export const roundFactor = (
  engine: Placing,
  visits: Visits,
  operand: Operand,
  elements: number
): { readonly place: Place; readonly tasks: readonly RowsTask[] } => {
  const from = engine.place(operand)
  if (operand.dtype === "bf16") return { place: place(from), tasks: [] }
  const to = place(visits.borrow(2 * elements, from.memory))
  return { place: to, tasks: elements === 0 ? [] : [rounding(from, operand.dtype, elements, to)] }
}
