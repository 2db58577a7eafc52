/** Operands of entries of the WebAssembly kernels that take one group of a weight at a time. */
import { type RowOperand, reading, updating, writing } from "../../backends/native/NativeBody.ts"
import { elementBytes } from "../../core/DType.ts"
import type { Operand } from "../../core/Operand.ts"
import { sizeOf } from "../../core/Shape.ts"

interface GroupOperands {
  /** Groups of the whole weight. */
  readonly rows: number
  readonly read: (operand: Operand) => RowOperand
  readonly write: (operand: Operand) => RowOperand
  readonly update: (operand: Operand) => RowOperand
}

/** Of a weight [N, K] and all of its shape a call gets `group` elements, of a parameter [N, K / g] one. */
export const groupOperands = ({ shape }: Operand, group: number): GroupOperands => {
  const bytes = (operand: Operand): number =>
    elementBytes(operand.dtype) * (operand.shape.at(-1) === shape.at(-1) ? 1 : group)
  return {
    rows: sizeOf(shape),
    read: (operand) => reading(operand, bytes(operand)),
    write: (operand) => writing(operand, bytes(operand)),
    update: (operand) => updating(operand, bytes(operand))
  }
}
