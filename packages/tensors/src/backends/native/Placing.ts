/** What plans ask of the engine: where the operands of a call are. */
import type { Handle, Operand } from "../../core/Operand.ts"
import type { Room } from "./Memories.ts"
import type { Visitor } from "./Visits.ts"

export interface Placing {
  /** The kernel of the current call, for errors. */
  readonly kernel: string
  /** The place of an operand, found now if it has none. */
  place(operand: { readonly handle: Handle }, use?: { readonly resident?: boolean; readonly preferred?: number }): Room
  /** An operand as one that may have to visit another memory. */
  visitor(operand: Operand, use: { readonly reads?: boolean; readonly writes?: boolean }, preferred?: number): Visitor
}
