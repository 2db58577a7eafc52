/**
 * The upper triangular factor U of an inverse, U^T U = A^-1, in double precision: what GPTQ needs of a Hessian (gptq.ts).
 *
 *   A = R R^T with R upper triangular, so A^-1 = R^-T R^-1 and U = R^-1
 *
 * Read backwards, an upper triangular matrix is a lower one: an ordinary Cholesky factorization of the reversed matrix and its
 * inverse are all there is to do, K^3 / 3 multiplications. Both go by blocks that stay in the processor's cache.
 */

/** Rows and columns of a block: 32 KiB. */
const block = 64

/** The leading K x K numbers of a matrix, row by row. */
type Matrix = Float64Array

/** A Cholesky factorization met a pivot that is not positive. */
interface BadPivot {
  readonly column: number
  readonly pivot: number
}

const dot = (a: Matrix, i: number, b: Matrix, j: number, count: number): number => {
  let sum = 0
  for (let k = 0; k < count; k++) sum += a[i + k]! * b[j + k]!
  return sum
}

/** Factors the rows and columns [first, end), from which everything to the left is already subtracted. */
const factorDiagonal = (a: Matrix, size: number, first: number, end: number): BadPivot | undefined => {
  for (let i = first; i < end; i++) {
    for (let j = first; j <= i; j++) {
      const at = i * size + j
      const rest = a[at]! - dot(a, i * size + first, a, j * size + first, j - first)
      if (i !== j) a[at] = rest / a[j * size + j]!
      else if (rest > 0) a[at] = Math.sqrt(rest)
      else return { column: i, pivot: rest }
    }
  }
  return undefined
}

/** Rows below a factored diagonal block: L_ik = A_ik L_kk^-T. Returns these columns of them side by side, [rows, block]. */
const solveBelow = (a: Matrix, size: number, first: number, end: number): Matrix => {
  const width = end - first
  const panel = new Float64Array((size - end) * width)
  for (let i = end; i < size; i++) {
    for (let j = first; j < end; j++) {
      const rest = a[i * size + j]! - dot(a, i * size + first, a, j * size + first, j - first)
      a[i * size + j] = rest / a[j * size + j]!
    }
    panel.set(a.subarray(i * size + first, i * size + end), (i - end) * width)
  }
  return panel
}

/** A_ij -= P_i P_j^T for the lower triangle from `end` on: two rows and two columns at a time, each number read for two products. */
const subtractProducts = (a: Matrix, size: number, end: number, panel: Matrix, width: number): void => {
  const rows = size - end
  for (let columns = 0; columns < rows; columns += block) {
    const last = Math.min(rows, columns + block)
    for (let i = columns; i < rows; i += 2) {
      // The last of an odd number of rows, or columns, has no other beside it.
      const below = Math.min(i + 1, rows - 1)
      const [p, q] = [i * width, below * width]
      const [row, next] = [(end + i) * size + end, (end + below) * size + end]
      for (let j = columns; j < last && j <= below; j += 2) {
        const right = Math.min(j + 1, rows - 1)
        const [u, v] = [j * width, right * width]
        let [iu, iv, bu, bv] = [0, 0, 0, 0]
        for (let k = 0; k < width; k++) {
          const [x, y, s, t] = [panel[p + k]!, panel[q + k]!, panel[u + k]!, panel[v + k]!]
          iu += x * s
          iv += x * t
          bu += y * s
          bv += y * t
        }
        // What this writes above the diagonal is never read.
        a[row + j]! -= iu
        if (right > j) a[row + right]! -= iv
        if (below > i) a[next + j]! -= bu
        if (below > i && right > j) a[next + right]! -= bv
      }
    }
  }
}

/** A = L L^T of a symmetric matrix [size, size], in place of its lower triangle. Returns the pivot that is not positive, if there is one. */
const cholesky = (a: Matrix, size: number): BadPivot | undefined => {
  for (let first = 0; first < size; first += block) {
    const end = Math.min(size, first + block)
    const bad = factorDiagonal(a, size, first, end)
    if (bad !== undefined) return bad
    subtractProducts(a, size, end, solveBelow(a, size, first, end), end - first)
  }
  return undefined
}

/** Inverts the diagonal block [first, end) of a lower triangular matrix in place. */
const invertDiagonal = (a: Matrix, size: number, first: number, end: number): void => {
  for (let j = first; j < end; j++) {
    a[j * size + j] = 1 / a[j * size + j]!
    for (let i = j + 1; i < end; i++) {
      let sum = 0
      for (let k = j; k < i; k++) sum += a[i * size + k]! * a[k * size + j]!
      a[i * size + j] = -sum / a[i * size + i]!
    }
  }
}

/** target += the sum of four rows of `a`, `size` apart, each times its factor: every number of the target is read once for four products. */
const addRows = (
  target: Matrix,
  at: number,
  factors: Matrix,
  first: number,
  a: Matrix,
  source: number,
  size: number,
  count: number
): void => {
  const [p, q, r, s] = [factors[first]!, factors[first + 1]!, factors[first + 2]!, factors[first + 3]!]
  const [u, v, w, x] = [source, source + size, source + 2 * size, source + 3 * size]
  for (let j = 0; j < count; j++) {
    target[at + j]! += p * a[u + j]! + q * a[v + j]! + r * a[w + j]! + s * a[x + j]!
  }
}

/** Columns that are computed together: 64 rows of them are 128 KiB. */
const span = 256

/**
 * Inverts a lower triangular matrix [size, size] in place, block row after block row: with X the inverse of what lies above and left,
 *
 *   X_k = -L_kk^-1 L_k X
 */
const invertLower = (a: Matrix, size: number): void => {
  for (let first = 0; first < size; first += block) {
    const end = Math.min(size, first + block)
    const width = end - first
    const left = new Float64Array(width * first)
    for (let i = 0; i < width; i++) left.set(a.subarray((first + i) * size, (first + i) * size + first), i * first)
    invertDiagonal(a, size, first, end)
    const product = new Float64Array(width * span)
    for (let from = 0; from < first; from += span) {
      const count = Math.min(span, first - from)
      product.fill(0)
      // Row k of X ends at column k.
      const filled = from + count
      for (let k = from; k < filled; k++) {
        for (let i = 0; i < width; i++) {
          const [factor, target] = [left[i * first + k]!, i * span]
          for (let j = from; j <= k; j++) product[target + j - from]! += factor * a[k * size + j]!
        }
      }
      for (let k = filled; k < first; k += 4) {
        const source = k * size + from
        for (let i = 0; i < width; i++) addRows(product, i * span, left, i * first + k, a, source, size, count)
      }
      for (let i = 0; i < width; i++) {
        const target = (first + i) * size + from
        for (let j = 0; j < count; j++) {
          let sum = 0
          for (let k = 0; k <= i; k++) sum += a[(first + i) * size + first + k]! * product[k * span + j]!
          a[target + j] = -sum
        }
      }
    }
  }
}

/**
 * U [size, size], upper triangular, with U^T U = A^-1, in place of a symmetric matrix A; what is below its diagonal means nothing.
 * Returns the pivot that is not positive where A is not positive definite: A is spoilt then.
 *
 * @example inverseFactor(Float64Array.of(4, 0, 0, 1), 2) // undefined; the matrix is [0.5, 0, 0, 1]
 */
export const inverseFactor = (matrix: Matrix, size: number): BadPivot | undefined => {
  matrix.reverse()
  const bad = cholesky(matrix, size)
  if (bad !== undefined) return { ...bad, column: size - 1 - bad.column }
  invertLower(matrix, size)
  matrix.reverse()
  return undefined
}
