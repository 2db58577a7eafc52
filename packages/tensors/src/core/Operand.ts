/** What backends are handed: storage, and the operands of a kernel call. */
import type { DType } from "./DType.ts"
import type { Shape } from "./Shape.ts"

export interface TensorSpec {
  readonly dtype: DType
  readonly shape: Shape
}

/** A backend's own name for a piece of its memory. Opaque outside the backend that made it. */
export interface Handle extends TensorSpec {
  readonly bytes: number
}

/** One operand of a kernel call: storage, seen under a shape that may differ from the storage's own. */
export interface Operand extends TensorSpec {
  readonly handle: Handle
}

/** One kernel call: operands by name (absent optional ones have no entry), outputs already allocated. */
export interface KernelCall {
  readonly inputs: { readonly [name: string]: Operand }
  readonly outputs: { readonly [name: string]: Operand }
  readonly attributes: object
}
