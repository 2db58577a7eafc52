/**
 * Codes in words of 32 bits, as GPTQ, AWQ and compressed-tensors store them: little-endian, the first code in the lowest bits, and
 * where a code does not fit a word any more (3 bits), the rest of it in the next one.
 */
import { packBits } from "@speedq/quantizers"

/** Whether codes of `bits` bits fill whole words. */
export const fillsWords = (codes: number, bits: number): boolean => (codes * bits) % 32 === 0

/** [rows, columns] -> [columns, rows]. */
export const transposed = <T extends Uint8Array | Uint16Array | Uint32Array>(
  matrix: T,
  rows: number,
  columns: number
): T => {
  const turned = matrix.slice() as T
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < columns; j++) turned[j * rows + i] = matrix[i * columns + j]!
  }
  return turned
}

/** Codes [rows, columns] of which every row fills whole words -> words [rows, columns bits / 32]. */
export const wordsOf = (codes: Uint8Array, bits: number): Uint32Array => {
  const { buffer, byteOffset, length } = packBits(codes, bits)
  return new Uint32Array(buffer, byteOffset, length / 4)
}
