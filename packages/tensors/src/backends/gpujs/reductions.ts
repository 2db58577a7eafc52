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

export interface RowReduction {
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
  readonly helpers?: readonly HelperFunction[]
  /** Of the sum: 1 / columns for a mean. */
  readonly factor?: number
}

const split = (reduction: RowReduction, parts: number): GpujsProgram => {
  const { output, part, reads, rows, columns, scalars, constants, helpers } = reduction
  return {
    output: `${output} in parts`,
    compute: part,
    reads,
    constants: { columns, parts, steps: Math.ceil(columns / parts), ...constants },
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
      constants: { parts },
      extent: [rows]
    }
  ]
}

/** Sums of the elements along every row. */
export const plainSumRows = (output: string, x: string, rows: number, columns: number, factor = 1) =>
  sumRows({ output, part: sumOfRow, reads: [x], rows, columns, factor })

/** The largest element of every row; the least f32 where none is larger. NaN is passed over. */
export const mostOfRows = (output: string, x: string, rows: number, columns: number): readonly GpujsProgram[] => {
  const parts = partsOf(columns)
  return [
    split({ output, part: mostOfRow, reads: [x], rows, columns }, parts),
    { output, compute: mostOfParts, reads: [`${output} in parts`], constants: { parts }, extent: [rows] }
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
  programs.push(split({ ...first, output: `${output} 0`, rows: 1, columns: size }, parts))
  while (parts > chunk) {
    const columns = parts
    parts = Math.ceil(columns / chunk)
    const from = programs.at(-1)!.output
    const name = `${output} ${programs.length}`
    programs.push(split({ output: name, part: sumOfRow, reads: [from], rows: 1, columns }, parts))
  }
  const from = programs.at(-1)!.output
  return [
    ...programs,
    { output, compute: sumOfParts, reads: [from], scalars: [factor], constants: { parts }, extent: [1] }
  ]
}

/** The sum of all elements of an operand. */
export const plainSumAll = (output: string, x: string, size: number) =>
  sumAll({ output, part: sumOfRow, reads: [x] }, size)
