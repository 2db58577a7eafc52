/** Numbers of a parameter in the format of a file, and how far they are then from those that the run computes with. */
import { magnitudeOf, type PackedWeight } from "@speedq/quantizers"
import { add, cast, elementBytes, noGrad, scale, scope, Tensor } from "@speedq/tensors"
import type { Rest } from "../model/deployedModel.ts"
import { matrixShape, numberRows, type Rows, rowPieces } from "../model/numberRows.ts"
import { type Difference, type DifferenceSums, differenceInParts, exact, sumOfSquares } from "./Difference.ts"

/** How far the rows `written` are from the rows `wide`, f32, that were cast to another format. */
const castDifference = async (wide: Tensor, written: Tensor): Promise<DifferenceSums> => {
  const changed = noGrad(() => scope(() => add(wide, scale(cast(written, "f32"), -1))))
  try {
    const maxAbsErr = await magnitudeOf(changed)
    const errors = maxAbsErr === 0 ? 0 : await sumOfSquares(changed)
    return { maxAbsErr, errors, squares: await sumOfSquares(wide) }
  } finally {
    changed.release()
  }
}

const storedBytes = async (tensor: Tensor): Promise<Uint8Array> => {
  const bytes = await tensor.backend.read(tensor.storage.handle)
  return bytes.subarray(0, tensor.size * elementBytes(tensor.dtype))
}

/** Rows of a tensor as they are stored. */
async function* storedRows(tensor: Tensor, rows: Rows): AsyncGenerator<Uint8Array> {
  const bytes = await storedBytes(tensor)
  const [count, columns] = matrixShape(tensor.shape)
  const rowBytes = bytes.length / count
  for (const { from, to } of rowPieces(rows, columns)) yield bytes.subarray(from * rowBytes, to * rowBytes)
}

export interface Writing {
  readonly dtype: Rest
  /** Rows that are written; all of them by default. */
  readonly rows?: Rows
  /** Is told the difference of all rows, those of other files too, when those that are written were taken. */
  readonly done?: (difference: Difference) => void
}

/**
 * The numbers of a tensor, or of a weight as it is unpacked, in `dtype`: rows in pieces of 4 MiB of f32 or less. A piece is valid until the
 * next one is asked for, or the backend for anything. The numbers stay the caller's.
 */
export async function* writtenAs(
  numbers: Tensor | PackedWeight,
  { dtype, rows: given, done = () => {} }: Writing
): AsyncGenerator<Uint8Array> {
  const all: Rows = { from: 0, to: matrixShape(numbers.shape)[0] }
  const rows = given ?? all
  if (numbers instanceof Tensor && numbers.dtype === dtype) {
    yield* storedRows(numbers, rows)
    return done(exact)
  }
  const difference = differenceInParts()
  let at = 0
  for await (const wide of numberRows(numbers, all)) {
    const count = wide.shape[0]!
    const written = noGrad(() => scope(() => cast(wide, dtype)))
    try {
      if (dtype !== "f32") difference.addSums(await castDifference(wide, written))
      const [from, to] = [Math.max(rows.from - at, 0), Math.min(rows.to - at, count)]
      const bytes = await storedBytes(written)
      if (from < to) yield bytes.subarray((from * bytes.length) / count, (to * bytes.length) / count)
    } finally {
      for (const each of [wide, written]) each.release()
    }
    at += count
  }
  done(difference.total())
}
