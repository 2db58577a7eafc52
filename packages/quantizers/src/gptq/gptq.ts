/**
 * GPTQ (arXiv:2210.17323) of one Linear: columns are rounded one after the other, and what rounding a column changes in the output is
 * made up for by the columns that are still to come.
 *
 *   H = 2 X^T X / tokens + damping mean(diag H) I,   H^-1 = U^T U, U upper triangular
 *   for each column i:  q_i = nearest code of w_i,  e = (w_i - value(q_i)) / U_ii,  w_j -= e U_ij for all j > i
 *
 * A constant factor of H changes nothing. Sums are in double precision. Updates of columns beyond a group wait until the group is
 * done, as the paper's wait for its blocks: the result is the same, in fewer passes over the weights.
 */
import { noGrad, scope, type Tensor, tensor } from "@speedq/tensors"
import { HessianNotDefinite } from "../Errors.ts"
import type { GridParameters, QuantizedWeight, QuantizerChoice } from "../quantizer/Quantizer.ts"
import { inverseFactor } from "./cholesky.ts"

export interface GptqSettings {
  /** What is added to the diagonal of the Hessian, as a share of its mean: 0.01. */
  readonly damping: number
  /** Rounds the columns with the largest diagonal of the Hessian first. Needs static groups. */
  readonly actOrder: boolean
  /**
   * Whether the grids of all groups are found on the original weight, or each on the weights as they are when its turn comes, which
   * only quantizers have that find every group by itself (`rowwise`).
   */
  readonly staticGroups: boolean
}

export const gptqDefaults: GptqSettings = { damping: 0.01, actOrder: true, staticGroups: true }

/** What GPTQ needs to know of a Linear's inputs: for all Linears that read the same, it is computed once. */
export interface GptqFactor {
  readonly columns: number
  /** Column that is rounded at each place. */
  readonly order: Int32Array
  /** U [K, K] in that order. */
  readonly inverse: Float64Array
}

/** Columns by the diagonal of the Hessian, largest first, the first of equal ones before the others. */
const byDiagonal = (diagonal: Float64Array): Int32Array =>
  Int32Array.from(diagonal.keys()).sort((a, b) => diagonal[b]! - diagonal[a]! || a - b)

/**
 * The factor of a Hessian [K, K], scaled as you like. A column that no input reaches is rounded to nearest. Raises HessianNotDefinite.
 */
export const gptqFactor = (
  layer: string,
  hessian: Float32Array | Float64Array,
  columns: number,
  { damping, actOrder }: Pick<GptqSettings, "damping" | "actOrder">
): GptqFactor => {
  const diagonal = Float64Array.from({ length: columns }, (_, i) => hessian[i * columns + i]!)
  const order = actOrder ? byDiagonal(diagonal) : Int32Array.from(diagonal.keys())
  const mean = diagonal.reduce((sum, value) => sum + value, 0) / columns
  // Without any input every rounding is as good: to nearest.
  const added = mean === 0 ? 1 : damping * mean
  const inverse = new Float64Array(columns * columns)
  for (let i = 0; i < columns; i++) {
    const row = order[i]! * columns
    for (let j = 0; j < columns; j++) inverse[i * columns + j] = hessian[row + order[j]!]!
    inverse[i * columns + i]! += added
  }
  const bad = inverseFactor(inverse, columns)
  if (bad !== undefined) {
    throw new HessianNotDefinite({ layer, column: order[bad.column]!, pivot: bad.pivot, damping })
  }
  return { columns, order, inverse }
}

/** A grid on the host: scale and zero point [out, in / g] of each group. */
interface Grid {
  readonly scale: ArrayLike<number>
  readonly zero: ArrayLike<number>
}

const nearestEven = (value: number): number => {
  const below = Math.floor(value)
  const rest = value - below
  return rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1
}

/** The weights while they are rounded, in the order of the factor. */
interface Rounding {
  readonly factor: GptqFactor
  readonly rows: number
  readonly levels: number
  /** [out, in], updated as columns are rounded. */
  readonly weights: Float64Array
  /** [out, in], in the weight's own order. */
  readonly codes: Uint8Array
}

/** Where row `row` finds the grid of column `column`. */
type GridIndex = (row: number, column: number) => number

/** Rounds the columns at places [first, end), and updates all that come after. */
const roundSpan = (
  { factor: { columns, order, inverse }, rows, levels, weights, codes }: Rounding,
  [first, end]: readonly [number, number],
  { scale, zero }: Grid,
  indexOf: GridIndex
): void => {
  const errors = new Float64Array(end - first)
  for (let row = 0; row < rows; row++) {
    const start = row * columns
    for (let i = first; i < end; i++) {
      const column = order[i]!
      const at = indexOf(row, column)
      const [s, z] = [scale[at]!, zero[at]!]
      const weight = weights[start + i]!
      const code = Math.min(Math.max(nearestEven(weight / s + z), 0), levels)
      codes[start + column] = code
      const error = (weight - s * (code - z)) / inverse[i * columns + i]!
      errors[i - first] = error
      for (let j = i + 1; j < end; j++) weights[start + j]! -= error * inverse[i * columns + j]!
    }
    let i = first
    for (; i + 1 < end; i += 2) {
      const [a, b] = [errors[i - first]!, errors[i + 1 - first]!]
      const [u, v] = [i * columns, (i + 1) * columns]
      for (let j = end; j < columns; j++) weights[start + j]! -= a * inverse[u + j]! + b * inverse[v + j]!
    }
    if (i < end) {
      const a = errors[i - first]!
      for (let j = end; j < columns; j++) weights[start + j]! -= a * inverse[i * columns + j]!
    }
  }
}

const readGrid = async ({ scale, zero }: GridParameters): Promise<Grid> => ({
  scale: await scale.read(),
  zero: await zero.read()
})

const releaseGrid = ({ scale, zero, stored }: GridParameters): void => {
  for (const each of [scale, zero, ...Object.values<Tensor>(stored)]) each.release()
}

const inOrder = (values: ArrayLike<number>, { columns, order }: GptqFactor): Float64Array =>
  Float64Array.from({ length: values.length }, (_, at) => {
    const place = at % columns
    return values[at - place + order[place]!]!
  })

/** Whether the grid of each group can be found when its turn comes: no row and no group has a part in another's. */
export const hasOwnGroups = ({ quantizer }: QuantizerChoice): boolean =>
  quantizer.grid !== undefined && quantizer.rowwise === true

/** Finds a group's grid when its turn comes. Returns the weights that grids were found on, [out, in]. */
const roundByGroups = async (
  rounding: Rounding,
  group: number,
  gridOf: (weights: Float32Array, columns: number) => GridParameters
): Promise<Float32Array> => {
  const { rows, weights, factor } = rounding
  const { columns } = factor
  const found = new Float32Array(rows * columns)
  const current = new Float32Array(rows * group)
  for (let first = 0; first < columns; first += group) {
    for (let row = 0; row < rows; row++) {
      const values = weights.subarray(row * columns + first, row * columns + first + group)
      current.set(values, row * group)
      found.set(values, row * columns + first)
    }
    const parameters = gridOf(current, group)
    const grid = await readGrid(parameters)
    releaseGrid(parameters)
    roundSpan(rounding, [first, first + group], grid, (row) => row)
  }
  return found
}

/**
 * The codes of a weight [N, K] in f32, and what is stored beside them; the caller releases them. The quantizer has a `grid`, and
 * without `staticGroups` it `hasOwnGroups`, and the factor no order of its own: stages check that before any work.
 *
 * @example
 * const factor = gptqFactor("down_proj", hessian, 4864, gptqDefaults)
 * const quantized = await gptqWeight(choice, weight, factor, gptqDefaults)
 * const packed = await packWeight("down_proj", choice, weight.shape, quantized)
 */
export const gptqWeight = async (
  { quantizer, config }: QuantizerChoice,
  weight: Tensor,
  factor: GptqFactor,
  { staticGroups }: Pick<GptqSettings, "staticGroups">
): Promise<QuantizedWeight> => {
  const { backend, shape } = weight
  const [rows, columns] = shape as readonly [number, number]
  const { bits, group } = quantizer.grid!.extents(config)
  const gridOf = (values: Tensor): GridParameters =>
    noGrad(() => scope(() => quantizer.grid!.parameters(config, values)))
  const gridOn = (values: Float32Array, width: number): GridParameters =>
    scope(() => gridOf(tensor(backend, values, [rows, width])))
  const rounding: Rounding = {
    ...{ factor, rows, levels: 2 ** bits - 1 },
    weights: inOrder(await weight.read(), factor),
    codes: new Uint8Array(rows * columns)
  }
  const coded = ({ scale, zero, stored }: GridParameters): QuantizedWeight => {
    scale.release()
    zero.release()
    return { ...stored, codes: tensor(backend, rounding.codes, shape, "u8") }
  }
  if (!staticGroups) return coded(gridOn(await roundByGroups(rounding, group, gridOn), columns))
  const parameters = gridOf(weight)
  const grid = await readGrid(parameters)
  const groups = columns / group
  for (let first = 0; first < columns; first += group) {
    roundSpan(rounding, [first, first + group], grid, (row, column) => row * groups + Math.floor(column / group))
  }
  return coded(parameters)
}
