/** How a kernel runs on the native backend: what its body asks of the engine for one call. */
import type { Operand } from "../../core/Operand.ts"
import { sizeOf } from "../../core/Shape.ts"

/** How rows of an operand are handed to an entry of the WebAssembly kernels. */
export interface RowOperand {
  readonly operand: Operand
  /** Bytes the pointer moves with each row; 0: the entry gets the start, whatever the row. */
  readonly rowBytes: number
  readonly reads: boolean
  readonly writes: boolean
}

/** Sums that every part keeps for itself, added up in the order of the parts when all are done. */
export interface PartialSums {
  /** Zeroed bytes of one part; the pointer follows those of the operands. */
  readonly bytes: number
  /** Export that adds up: combine(0, 1, parts, bytes, pointer, target, ...scalars); no parts means no rows. */
  readonly combine: string
  readonly target: Operand
  /** Whether the sums are added to what the target holds. */
  readonly accumulate?: boolean
  readonly scalars?: readonly number[]
}

export interface RowsCall {
  /** Export of the WebAssembly module: entry(first, count, ...pointers, ...scalars). */
  readonly entry: string
  readonly rows: number
  /** The pointer of an operand that is absent is 0. */
  readonly operands: readonly (RowOperand | undefined)[]
  readonly partials?: readonly PartialSums[]
  readonly scalars?: readonly number[]
  /** Bytes of memory traffic that a row stands for when rows are grouped into parts. Default: what its operands move. */
  readonly workPerRow?: number
  /** Memory traffic of one part, roughly. Default: a quarter of a megabyte. */
  readonly partBytes?: number
  /** Whether the entry wants a megabyte of its thread's scratch; that pointer comes first. */
  readonly scratch?: boolean
  /** Rows that must stay in one call of the entry. Default 1. */
  readonly together?: number
}

/** A matrix operand of a product: [..., rows, columns] in storage, taken transposed if so said. */
export interface ProductOperand {
  readonly operand: Operand
  readonly transposed: boolean
  /** Elements from one row in storage, and from one matrix of the batch, to the next; default: no gaps. */
  readonly stride?: number
  readonly batchStride?: number
}

/** What the codes of a weight stand for, and how they lie: kernels/linearCodes. */
export interface DecoderOperands {
  readonly grid: Operand
  readonly origin: Operand
  readonly step?: Operand | undefined
  readonly group: number
  readonly bits: number
  readonly sharing: number
}

/** c = op(a) op(b) (+ c) (+ bias), for each matrix of the batch; b may be one matrix for all. */
export interface ProductCall {
  /** "f32": exact factors, whatever the engine multiplies in. */
  readonly arithmetic?: "f32" | undefined
  readonly batch: number
  readonly m: number
  readonly n: number
  readonly k: number
  readonly a: ProductOperand
  /** With a decoder b is tiles of codes, [n, k] taken transposed: products in f32 alone, of one matrix. */
  readonly b: ProductOperand & { readonly sharedByBatch: boolean; readonly decoder?: DecoderOperands }
  readonly c: Operand
  readonly accumulate?: boolean
  readonly bias?: Operand | undefined
}

/** Attention over heads: q and y [B, T, H, D], k and v [B, S, G, D], logSumExp [B, H, T], keyMask i32 [B, S]. */
export interface AttentionCall {
  readonly batch: number
  readonly queries: number
  readonly keys: number
  readonly heads: number
  readonly groups: number
  readonly width: number
  readonly causal: boolean
  readonly scale: number
  /** q, k and v are one operand [B, T, 3, H, D], and so are their gradients. */
  readonly sideBySide?: boolean
  readonly q: Operand
  readonly k: Operand
  readonly v: Operand
  readonly keyMask?: Operand | undefined
  readonly y: Operand
  readonly logSumExp: Operand
}

/** The gradients of attention, from what it computed and the gradient of y. */
export interface AttentionGradientCall extends AttentionCall {
  readonly dy: Operand
  readonly dq: Operand
  readonly dk: Operand
  readonly dv: Operand
}

/** What a body may ask for. */
export interface NativeEngine {
  /** Runs an entry over rows on all threads. */
  rows(call: RowsCall): void
  /** A matrix product on all threads. */
  product(call: ProductCall): void
  /** Attention, head by head and block of queries by block. */
  attention(call: AttentionCall): void
  attentionGradient(call: AttentionGradientCall): void
  /** The bytes of an operand on the host: index tensors. */
  bytes(operand: Operand): Uint8Array
  /** Numbers that a kernel reads besides its operands. Kept for the next calls under `key`, which must tell them apart. */
  table(key: string, make: () => Float32Array): Operand
}

/** One call of a kernel: its operands by name, of which optional ones may be absent. */
interface NativeCall<I extends string, O extends string, A extends object, Optional extends string = never> {
  readonly inputs: { readonly [K in I]: Operand } & { readonly [K in Optional]?: Operand | undefined }
  readonly outputs: { readonly [K in O]: Operand }
  readonly attributes: A
}

/**
 * Runs a kernel whose operands `I` are always given and whose operands `Optional` may be absent. Typed as a method, like the
 * other bodies, so that the body of every kernel is one of any kernel.
 */
export type NativeBody<
  I extends string = string,
  O extends string = string,
  A extends object = object,
  Optional extends string = never
> = { run(engine: NativeEngine, call: NativeCall<I, O, A, Optional>): void }["run"]

/** An operand read row by row. */
export const reading = (operand: Operand, rowBytes: number): RowOperand => ({
  operand,
  rowBytes,
  reads: true,
  writes: false
})

/** An operand written row by row. */
export const writing = (operand: Operand, rowBytes: number): RowOperand => ({
  operand,
  rowBytes,
  reads: false,
  writes: true
})

/** An operand overwritten row by row, from what it holds. */
export const updating = (operand: Operand, rowBytes: number): RowOperand => ({
  operand,
  rowBytes,
  reads: true,
  writes: true
})

/** An operand that every row may read. */
export const shared = (operand: Operand): RowOperand => reading(operand, 0)

/** An operand that rows write where they like, never two of them the same element; together they write all of it. */
export const scattered = (operand: Operand): RowOperand => writing(operand, 0)

/** Like scattered, where some elements may stay as they are. */
export const revised = (operand: Operand): RowOperand => updating(operand, 0)

/** Sums over rows of `columns` floats, a row of sums a part. */
export const rowSums = (target: Operand, columns: number): PartialSums => ({
  bytes: 4 * columns,
  combine: "addParts",
  target,
  scalars: [columns]
})

/** A sum over all elements, a double a part: target = factor sum, or += when it accumulates. */
export const total = (
  target: Operand,
  { factor = 1, accumulate = false }: { readonly factor?: number; readonly accumulate?: boolean } = {}
): PartialSums => ({
  bytes: 8,
  combine: "addTotals",
  target,
  accumulate,
  scalars: [factor, accumulate ? 1 : 0]
})

/** The numbers of an index operand. */
export const indexNumbers = (engine: NativeEngine, operand: Operand): Int32Array => {
  const { buffer, byteOffset, byteLength } = engine.bytes(operand)
  return new Int32Array(buffer, byteOffset, byteLength / 4)
}

/** A kernel that computes each element from the elements at the same place: f32 operands of one size. */
export const elementwiseBody =
  <I extends string, O extends string, A extends object = object>(
    entry: string,
    names: {
      readonly updates?: readonly I[]
      readonly reads?: readonly I[]
      readonly writes?: readonly O[]
    },
    scalarsOf: (attributes: A) => readonly number[] = () => []
  ): NativeBody<I, O, A> =>
  (engine, { inputs, outputs, attributes }) => {
    const operands = [
      ...(names.updates ?? []).map((name) => updating(inputs[name], 4)),
      ...(names.reads ?? []).map((name) => reading(inputs[name], 4)),
      ...(names.writes ?? []).map((name) => writing(outputs[name], 4))
    ]
    const rows = Math.max(...operands.map(({ operand }) => sizeOf(operand.shape)))
    engine.rows({ entry, rows, operands, scalars: scalarsOf(attributes) })
  }
