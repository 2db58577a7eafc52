/** Whether stored floats are numbers, how large they are, and where they are not: NaN and infinity pass no boundary unseen. */
import { magnitudeRoom } from "@speedq/tensors"
import { bytesOf, elementBytes, type TypedArrayOf, typedView } from "./DType.ts"
import { decodeFloats, type FloatDType } from "./floats.ts"

/** Writes the bytes [offset, offset + piece.length) of what is read into `piece`. */
type ReadPiece = (piece: Uint8Array, offset: number) => void

/** Pattern of infinity, without its sign: patterns of numbers are below it, those of NaN above. */
const infinity = { F32: 0x7f800000, BF16: 0x7f80, F16: 0x7c00 } as const

const areFinite = (values: ArrayLike<number>): boolean => {
  for (let i = 0; i < values.length; i++) if (!Number.isFinite(values[i])) return false
  return true
}

/** Runs `visit` on pieces of `length` bytes that fit the room. */
const byPieces = (length: number, visit: (piece: Uint8Array, offset: number) => void): void => {
  const { bytes } = magnitudeRoom()
  for (let offset = 0; offset < length; offset += bytes.length) {
    visit(bytes.subarray(0, Math.min(bytes.length, length - offset)), offset)
  }
}

/** Fills `target` with floats and tells whether all are finite. They pass through the cache once, so it costs next to nothing. */
export const readFloats = (dtype: FloatDType, target: Uint8Array, read: ReadPiece): boolean => {
  if (dtype === "F64") {
    read(target, 0)
    return areFinite(typedView(dtype, target))
  }
  const { largest } = magnitudeRoom()
  let finite = true
  byPieces(target.length, (piece, offset) => {
    read(piece, offset)
    finite &&= largest(piece.length, dtype === "F32" ? 4 : 2) < infinity[dtype]
    target.set(piece, offset)
  })
  return finite
}

/** The largest magnitude of stored floats: 0 for none, infinity where one is, NaN where one is. */
export const largestMagnitude = (dtype: Exclude<FloatDType, "F64">, bytes: Uint8Array): number => {
  const { largest } = magnitudeRoom()
  let pattern = 0
  byPieces(bytes.length, (piece, offset) => {
    piece.set(bytes.subarray(offset, offset + piece.length))
    pattern = Math.max(pattern, largest(piece.length, dtype === "F32" ? 4 : 2))
  })
  const one: TypedArrayOf<"U32"> = Uint32Array.of(pattern)
  return decodeFloats(dtype, bytesOf(one).subarray(0, elementBytes(dtype)))[0]!
}

/** Numbers that are none, and the first place of one in a row-major tensor of a shape. */
export interface NonFinite {
  readonly nan: number
  readonly infinite: number
  readonly firstIndex: readonly number[]
}

/** Index of element `at` of a tensor, row-major: one number a dimension. */
export const indexIn = (shape: ReadonlyArray<number>, at: number): readonly number[] => {
  const index: number[] = []
  let rest = at
  for (const size of [...shape].reverse()) {
    index.unshift(rest % size)
    rest = Math.floor(rest / size)
  }
  return index
}

/** Counts NaN and infinities among numbers that come in parts; undefined where all are finite. */
export const countNonFinite = (
  shape: ReadonlyArray<number>,
  parts: Iterable<ArrayLike<number>>
): NonFinite | undefined => {
  let [nan, infinite, first, seen] = [0, 0, -1, 0]
  for (const values of parts) {
    for (let i = 0; i < values.length; i++) {
      const value = values[i]!
      if (Number.isFinite(value)) continue
      if (first < 0) first = seen + i
      if (Number.isNaN(value)) nan++
      else infinite++
    }
    seen += values.length
  }
  return first < 0 ? undefined : { nan, infinite, firstIndex: indexIn(shape, first) }
}
