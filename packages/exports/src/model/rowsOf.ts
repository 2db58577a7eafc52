/** Rows of fused weights, such as those of queries, keys and values, that layouts hold apart. */

/** Run `part` of `parts` equal runs of rows, of a matrix in row-major order. */
export const rowsOf = <T extends Uint8Array | Float32Array>(matrix: T, part: number, parts: number): T =>
  matrix.subarray((part * matrix.length) / parts, ((part + 1) * matrix.length) / parts) as T
