/** A product that a kernel wants launched. */
import type { WgslTarget } from "./WebgpuBody.ts"

/** y [batch, m, n] = op(a) op(b) + bias, operands by their names in the call. */
export interface Product {
  readonly batch: number
  readonly m: number
  /** Rows that become the same with and without the others: the tile is chosen as if they were alone. All of them where it is left out. */
  readonly rowsAlike?: number
  readonly n: number
  readonly k: number
  /** a is stored as [k, m], b as [n, k]. */
  readonly turnsA: boolean
  readonly turnsB: boolean
  /** b is one matrix for the whole batch. */
  readonly sharedB: boolean
  readonly a: string
  readonly b: string
  readonly bias?: string | undefined
  readonly y: WgslTarget
  /** The product is added to what y holds. */
  readonly added?: boolean
}
