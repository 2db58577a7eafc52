/** What threads are asked to do. Plain data: a task is copied to every thread, which runs the parts that it takes. */
import type { Place } from "./Thread.ts"

/** An operand of a row task; the pointer handed to the kernel moves with the row or with the part, or stays. */
export interface TaskOperand extends Place {
  readonly rowBytes: number
  readonly partBytes: number
  readonly reads: boolean
  readonly writes: boolean
}

/**
 * entry(first, count, ...pointers, ...scalars) over rows: row operands may live in any memory and go through scratch,
 * the others are in memory `home`.
 */
export interface RowsTask {
  readonly kind: "rows"
  readonly entry: string
  readonly home: number
  readonly rows: number
  readonly partRows: number
  /** Rows that one call of the entry must get, or a multiple of them; parts are multiples too. */
  readonly together: number
  /** Whether the first pointer is this thread's panels. */
  readonly scratch: boolean
  readonly operands: readonly TaskOperand[]
  readonly scalars: readonly number[]
}

/** A matrix of a product: rows `stride` elements apart; transposed means that the product takes it so. */
export interface Matrix extends Place {
  readonly stride: number
  readonly transposed: boolean
  /** Bytes from one matrix of a batch to the next. */
  readonly batchBytes: number
}

export type WeightType = "f32" | "bf16" | "f16" | "codes"

/** What the codes of a weight [N, K] stand for (kernels/linearCodes): offsets in their memory, and how they lie. */
export interface Decoder {
  readonly grid: number
  readonly origin: number
  /** 0 where rows have scales of their own. */
  readonly step: number
  readonly group: number
  readonly bits: number
  readonly sharing: number
  /** Of the origin: 0 f32, 1 bf16, 2 f16. */
  readonly scaleType: number
}

/** How the factors of a product are stored where a library multiplies them as they are. */
export type FactorType = "f32" | "bf16"

/** C = op(A) op(B) (+ C) (+ bias), batch by batch, in slices of C. Where A is bf16, B is too. */
export interface ProductTask {
  readonly kind: "product"
  readonly batch: number
  readonly m: number
  readonly n: number
  readonly k: number
  readonly a: Matrix & { readonly type: FactorType }
  readonly b: Matrix & { readonly type: WeightType }
  readonly c: Matrix
  readonly accumulate: boolean
  /** Where B is codes. */
  readonly decoder?: Decoder
  /** [N], in the memory of C. */
  readonly bias?: number
  /** Three bf16 matrices [3, M, K] that add up to A, in its memory: then B is bf16 too, and the library multiplies those. */
  readonly parts?: number
  readonly sliceM: number
  readonly sliceN: number
}

/** Rows of heads: [item, row, head, width] with any strides, in elements. */
export interface Heads extends Place {
  readonly itemStride: number
  readonly rowStride: number
  readonly headStride: number
}

/** y = softmax(scale q k^T) v for blocks of queries of each head. Statistics and mask are in the memory of y. */
export interface AttentionTask {
  readonly kind: "attention"
  /** Of q, k and v; probabilities are rounded to it. */
  readonly type: FactorType
  readonly batch: number
  readonly queries: number
  readonly keys: number
  readonly heads: number
  /** Consecutive heads that share keys and values. */
  readonly headsPerGroup: number
  readonly width: number
  readonly causal: boolean
  readonly scale: number
  readonly blockRows: number
  readonly q: Heads
  readonly k: Heads
  readonly v: Heads
  readonly y: Heads
  /** Offset of logSumExp [B, H, T]. */
  readonly statistics: number
  /** Offset of the mask i32 [B, S]. */
  readonly mask?: number
}

/** Gradients; dk and dv have a row for each head and key. Statistics, mask, y and dy are in the memory of dq. */
export interface AttentionGradientTask extends Omit<AttentionTask, "kind"> {
  readonly kind: "attentionGradient"
  readonly dy: Heads
  /** dy as a factor, of the type of the others. */
  readonly downstream: Heads
  readonly dq: Heads
  readonly dk: Heads
  readonly dv: Heads
}

/** Row tasks none of which reads or overwrites what another one writes: the parts of the first, then those of the next. */
export interface SeveralTask {
  readonly kind: "several"
  readonly tasks: readonly RowsTask[]
}

export type Task = RowsTask | SeveralTask | ProductTask | AttentionTask | AttentionGradientTask

export const partsOf = (task: Task): number => {
  switch (task.kind) {
    case "rows":
      return Math.ceil(task.rows / task.partRows)
    case "several":
      return task.tasks.reduce((sum, each) => sum + partsOf(each), 0)
    case "product":
      return task.batch * Math.ceil(task.m / task.sliceM) * Math.ceil(task.n / task.sliceN)
    case "attention":
      return task.batch * task.heads * Math.ceil(task.queries / task.blockRows)
    case "attentionGradient":
      return task.batch * task.heads
  }
}
