/** Position embeddings for another patch grid: bicubic as torch does it, a = -0.75, align_corners false, no antialias. */

const a = -0.75

/** Keys' cubic convolution kernel at distance x. */
const cubic = (x: number): number => {
  const d = Math.abs(x)
  if (d <= 1) return ((a + 2) * d - (a + 3)) * d * d + 1
  if (d < 2) return ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
  return 0
}

interface Taps {
  readonly rows: readonly number[]
  readonly weights: readonly number[]
}

/** Four source rows and their weights for each target row; rows outside are clamped to the edge. */
const taps = (from: number, to: number): readonly Taps[] =>
  Array.from({ length: to }, (_, target) => {
    const source = (target + 0.5) * (from / to) - 0.5
    const base = Math.floor(source)
    const offsets = [-1, 0, 1, 2]
    return {
      rows: offsets.map((offset) => Math.min(from - 1, Math.max(0, base + offset))),
      weights: offsets.map((offset) => cubic(source - base - offset))
    }
  })

/**
 * Position table [1 + h w, C] to [1 + height width, C]: row 0 (class token) is kept, the others are a grid of
 * `from` = [h, w] rows and columns, interpolated per channel.
 */
export const resizePositions = (
  table: Float32Array,
  columns: number,
  from: readonly [number, number],
  to: readonly [number, number]
): Float32Array => {
  const [fromRows, fromColumns] = from
  const [toRows, toColumns] = to
  const resized = new Float32Array((1 + toRows * toColumns) * columns)
  resized.set(table.subarray(0, columns))
  const vertical = taps(fromRows, toRows)
  const horizontal = taps(fromColumns, toColumns)
  for (const [y, row] of vertical.entries()) {
    for (const [x, column] of horizontal.entries()) {
      const start = (1 + y * toColumns + x) * columns
      for (let channel = 0; channel < columns; channel++) {
        let sum = 0
        for (let i = 0; i < 4; i++) {
          let line = 0
          for (let j = 0; j < 4; j++) {
            const source = 1 + row.rows[i]! * fromColumns + column.rows[j]!
            line += column.weights[j]! * table[source * columns + channel]!
          }
          sum += row.weights[i]! * line
        }
        resized[start + channel] = sum
      }
    }
  }
  return resized
}
