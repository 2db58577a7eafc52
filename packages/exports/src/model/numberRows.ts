/** The numbers of a parameter as rows in f32, some at a time: no second copy of a large matrix is made. */
import type { PackedWeight } from "@speedq/quantizers"
import { type Backend, cast, gatherRows, noGrad, reshape, type Shape, scope, Tensor, tensor } from "@speedq/tensors"

/** Rows from `from` up to `to`. */
export interface Rows {
  readonly from: number
  readonly to: number
}

/** Run `part` of `parts` equal runs of rows, as layouts hold those of queries, keys and values apart. */
export const partRows = (rows: number, part: number, parts: number): Rows => ({
  from: (part * rows) / parts,
  to: ((part + 1) * rows) / parts
})

/** Numbers that are read at a time: 4 MiB of f32. */
export const pieceNumbers = 2 ** 20

/** Rows that come to `pieceNumbers` at most, or are `multiple`, one piece after the other; a multiple of that in all but the last. */
export function* rowPieces({ from, to }: Rows, columns: number, multiple = 1): Generator<Rows> {
  const step = multiple * Math.max(1, Math.floor(pieceNumbers / Math.max(1, columns) / multiple))
  for (let at = from; at < to; at += step) yield { from: at, to: Math.min(to, at + step) }
}

/** i32 [to - from] */
const indexOf = (backend: Backend, { from, to }: Rows): Tensor =>
  tensor(
    backend,
    Int32Array.from({ length: to - from }, (_, at) => from + at),
    [to - from],
    "i32"
  )

/** A parameter's shape as a matrix: its first extent, and all others together. */
export const matrixShape = ([rows = 1, ...rest]: Shape): readonly [rows: number, columns: number] => [
  rows,
  rest.reduce((product, extent) => product * extent, 1)
]

/** Reads rows [to - from, columns] in f32, in the caller's scope; `release` gives back what that needed. */
interface RowReader {
  readonly read: (rows: Rows) => Tensor
  readonly release: () => void
}

const rowsOfTensor = (whole: Tensor): RowReader => {
  const [count, columns] = matrixShape(whole.shape)
  return {
    read: (rows) =>
      noGrad(() =>
        scope(() => {
          const matrix = reshape(whole, [count, columns])
          if (rows.to - rows.from === count) return cast(matrix, "f32")
          return gatherRows(matrix, indexOf(whole.backend, rows))
        })
      ),
    release: () => {}
  }
}

/** A weight whose quantizer is not rowwise is unpacked as a whole, when the first rows are read. */
const rowsOfWeight = ({ backend, unpack, unpackRows }: PackedWeight): RowReader => {
  if (unpackRows !== undefined) {
    return { read: (rows) => noGrad(() => scope(() => unpackRows(indexOf(backend, rows)))), release: () => {} }
  }
  let whole: Tensor | undefined
  return {
    read: (rows) => {
      whole ??= noGrad(unpack)
      return rowsOfTensor(whole).read(rows)
    },
    release: () => whole?.release()
  }
}

/** Gives rows in f32, which the receiver releases, in the pieces of `rowPieces`. Packed weights and tensors stay the caller's. */
export async function* numberRows(
  numbers: Tensor | PackedWeight,
  rows: Rows,
  multiple?: number
): AsyncGenerator<Tensor> {
  const reader = numbers instanceof Tensor ? rowsOfTensor(numbers) : rowsOfWeight(numbers)
  try {
    for (const piece of rowPieces(rows, matrixShape(numbers.shape)[1], multiple)) yield reader.read(piece)
  } finally {
    reader.release()
  }
}
