/**
 * Sums and maxima. One thread computes one element, so a long row is cut among several: thread p takes elements p, p + parts,
 * p + 2 parts, ... (neighbours read neighbours), and a second program takes the parts together. The order is fixed.
 */
import type { GpujsProgram, HelperFunction, ProgramFunction, Thread, Values } from "./GpujsBody.ts"

function sumOfParts(this: Thread, x: Values, factor: number) {
  let sum = 0
  for (let i = 0; i < this.constants.parts; i++) {
    sum += x[this.thread.x * this.constants.parts + i]
  }
  return sum * factor
}

function mostOfParts(this: Thread, x: Values) {
  let most = x[this.thread.x * this.constants.parts]
  for (let i = 0; i < this.constants.parts; i++) {
    if (x[this.thread.x * this.constants.parts + i] > most) {
      most = x[this.thread.x * this.constants.parts + i]
    }
  }
  return most
}

function sumOfRow(this: Thread, x: Values) {
  let sum = 0
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      sum += x[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x]
    }
  }
  return sum
}

/** The largest element below the largest f32, so that a row without elements or of -infinity has one. */
function mostOfRow(this: Thread, x: Values) {
  let most = -3.4028234663852886e38
  for (let i = 0; i < this.constants.steps; i++) {
    if (i * this.constants.parts + this.thread.x < this.constants.columns) {
      if (x[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x] > most) {
        most = x[this.thread.y * this.constants.columns + i * this.constants.parts + this.thread.x]
      }
    }
  }
  return most
}

const partsOf = (columns: number): number => (columns <= 64 ? 1 : columns <= 8192 ? 32 : 256)

interface RowReduction {
  /** What holds the result, one element a row. */
  readonly output: string
  /**
   * The sum of part `this.thread.x` of row `this.thread.y`, in a loop like that of `sumOfRow` above, of constants
   * `columns`, `parts` and `steps`.
   */
  readonly part: ProgramFunction
  readonly reads: readonly string[]
  readonly rows: number
  readonly columns: number
  readonly scalars?: readonly number[]
  readonly constants?: { readonly [name: string]: number }
  /** The rows are as long as a sequence: their length changes from call to call. */
  readonly ofLength?: boolean
  readonly helpers?: readonly HelperFunction[]
  /** Of the sum: 1 / columns for a mean. */
  readonly factor?: number
}

type RowShape = Pick<RowReduction, "rows" | "columns" | "ofLength">

const split = (reduction: RowReduction, parts: number): GpujsProgram => {
  const { output, part, reads, rows, columns, scalars, constants, ofLength, helpers } = reduction
  const row = { columns, parts, steps: Math.ceil(columns / parts) }
  return {
    output: `${output} in parts`,
    compute: part,
    reads,
    constants: ofLength ? { ...constants } : { ...row, ...constants },
    ...(ofLength ? { sizes: row } : {}),
    extent: [parts, rows],
    ...(scalars ? { scalars } : {}),
    ...(helpers ? { helpers } : {})
  }
}

/** Sums of something along every row of [rows, columns]. */
export const sumRows = (reduction: RowReduction): readonly GpujsProgram[] => {
  const { output, rows, columns, factor = 1 } = reduction
  const parts = partsOf(columns)
  return [
    split(reduction, parts),
    {
      output,
      compute: sumOfParts,
      reads: [`${output} in parts`],
      scalars: [factor],
      sizes: { parts },
      extent: [rows]
    }
  ]
}

/** Sums of the elements along every row. */
export const plainSumRows = (output: string, x: string, shape: RowShape, factor = 1) =>
  sumRows({ output, part: sumOfRow, reads: [x], factor, ...shape })

/** The largest element of every row; the least f32 where none is larger. NaN is passed over. */
export const mostOfRows = (output: string, x: string, shape: RowShape): readonly GpujsProgram[] => {
  const parts = partsOf(shape.columns)
  return [
    split({ output, part: mostOfRow, reads: [x], ...shape }, parts),
    { output, compute: mostOfParts, reads: [`${output} in parts`], sizes: { parts }, extent: [shape.rows] }
  ]
}

/** Elements that one thread adds up in a sum over everything. */
const chunk = 256

/**
 * The sum of something over `size` elements, in rounds of 256 to one, which also keeps the error of f32 small.
 * `part` as in RowReduction: all elements are one row, and `this.thread.y` is 0.
 */
export const sumAll = (reduction: Omit<RowReduction, "rows" | "columns">, size: number): readonly GpujsProgram[] => {
  const { output, factor = 1, ...first } = reduction
  const programs: GpujsProgram[] = []
  let parts = Math.max(1, Math.ceil(size / chunk))
  programs.push(split({ ...first, output: `${output} 0`, rows: 1, columns: size, ofLength: true }, parts))
  while (parts > chunk) {
    const columns = parts
    parts = Math.ceil(columns / chunk)
    const from = programs.at(-1)!.output
    const name = `${output} ${programs.length}`
    programs.push(split({ output: name, part: sumOfRow, reads: [from], rows: 1, columns, ofLength: true }, parts))
  }
  const from = programs.at(-1)!.output
  return [...programs, { output, compute: sumOfParts, reads: [from], scalars: [factor], sizes: { parts }, extent: [1] }]
}

/** The sum of all elements of an operand. */
export const plainSumAll = (output: string, x: string, size: number) =>
  sumAll({ output, part: sumOfRow, reads: [x] }, size)
