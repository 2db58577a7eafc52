/** Shapes of the operands of a kernel call, by name. */
import type { Shape } from "./Shape.ts"

export type Shapes<I extends string> = { readonly [K in I]: Shape }

export interface Geometry<I extends string, O extends string> {
  readonly inputs: Shapes<I>
  readonly outputs: Shapes<O>
}
