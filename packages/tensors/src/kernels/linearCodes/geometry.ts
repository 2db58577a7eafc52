/** How a weight [N, K] lies as tiles of codes, and the extents of a product with it. */
import { InvalidAttribute, ShapeMismatch } from "../../core/Errors.ts"
import { asMatrix, type Shape } from "../../core/Shape.ts"
import { expectAxes, expectRank, expectShape } from "../operands/shapeRules.ts"

/** What x is rounded to before it is multiplied; see definition.ts. */
export type Activations = "f32" | "int8"

export interface CodedExtents {
  /** Bits of a code: 2 or 4, so that none crosses a byte. */
  readonly bits: number
  /** Outputs, N. */
  readonly rows: number
  /** Inputs that share a scale, g. */
  readonly group: number
}

export interface LinearCodesAttributes extends CodedExtents {
  readonly activations: Activations
}

/**
 * At and below this many rows of x sums of codes are less work than decoding the weight first: 1.0 ms of 4 rows and 2.1 of 8, where a
 * decoded block took 2.2 to 2.6 (896x4864, 2 bits, one thread of an EPYC).
 */
export const fewRowsOfCodes = 8

/** Rows of the weight in a tile, and bytes of codes in a chunk of one of them. */
export const tileRowsTogether = 4
export const chunkBytes = 16
/** Lanes of a chunk. */
const lanes = 4
/** Columns that a thread of the native backend has room for. */
const mostColumns = 65536

const isBits = (bits: number): boolean => bits === 2 || bits === 4

/** Columns of a chunk: 64 or 32. */
export const chunkColumns = (bits: number): number => (8 * chunkBytes) / bits

/** Columns of a lane: groups are multiples of it. */
const laneColumns = (bits: number): number => chunkColumns(bits) / lanes

const isGroup = (bits: number, group: number): boolean => group > 0 && group % laneColumns(bits) === 0

/** Whether weights of `columns` inputs in codes of `bits` bits and groups of `group` can stay codes in a product. */
export const multipliesCodes = (bits: number, group: number, columns: number): boolean =>
  isBits(bits) && isGroup(bits, group) && columns % group === 0 && columns <= mostColumns

interface TileLayout {
  readonly tiles: number
  readonly chunks: number
  /** Whether groups are whole chunks, which have one scale each; lanes of a chunk have scales of their own otherwise. */
  readonly byRows: boolean
  /** Scales along a row: groups, or lanes. */
  readonly steps: number
  /** Steps of a group. */
  readonly repeat: number
}

/** How tiles of a weight with `columns` inputs lie. */
export const tileLayout = ({ bits, rows, group }: CodedExtents, columns: number): TileLayout => {
  const chunk = chunkColumns(bits)
  const chunks = Math.ceil(columns / chunk)
  const byRows = group % chunk === 0
  return {
    tiles: Math.ceil(rows / tileRowsTogether),
    chunks,
    byRows,
    steps: byRows ? columns / group : lanes * chunks,
    repeat: byRows ? 1 : group / laneColumns(bits)
  }
}

interface LinearCodesExtents extends TileLayout {
  /** Rows of x. */
  readonly m: number
  /** Outputs. */
  readonly n: number
  /** Inputs. */
  readonly k: number
  readonly group: number
  /** Rows of the weight that share a step and an origin; 0 where each has a scale of its own. */
  readonly sharing: number
}

/** The shape of the scales of a weight whose rows have their own. */
export const flatShape = ({ tiles, byRows, steps, chunks }: TileLayout): Shape =>
  byRows ? [tiles, steps, tileRowsTogether, 1] : [tiles, chunks, tileRowsTogether, lanes]

/** Raises ShapeMismatch and InvalidAttribute. */
export const linearCodesExtents = (
  {
    x,
    codes,
    grid,
    origin,
    step
  }: { readonly [K in "x" | "codes" | "grid" | "origin"]: Shape } & {
    readonly step?: Shape | undefined
  },
  { bits, rows: n, group }: LinearCodesAttributes
): LinearCodesExtents => {
  const kernel = "linearCodes"
  if (!isBits(bits)) throw new InvalidAttribute(kernel, "bits", bits, "2 or 4")
  expectRank(kernel, "x", x, 1)
  const { rows: m, columns: k } = asMatrix(x)
  if (!multipliesCodes(bits, group, k)) {
    const wanted = `at most ${mostColumns} columns in groups of ${group}, a multiple of ${laneColumns(bits)}`
    throw new ShapeMismatch(kernel, "x", wanted, x)
  }
  const layout = tileLayout({ bits, rows: n, group }, k)
  const { tiles, chunks, steps } = layout
  expectShape(kernel, "codes", codes, [tiles, chunks, tileRowsTogether, chunkBytes])
  expectShape(kernel, "grid", grid, [tiles, steps, tileRowsTogether, 1])
  if (step === undefined) {
    expectShape(kernel, "origin", origin, flatShape(layout))
    return { ...layout, m, n, k, group, sharing: 0 }
  }
  expectAxes(kernel, "step", step, 2)
  expectShape(kernel, "origin", origin, step)
  const sharing = n / step[0]!
  if (step[1] !== steps || sharing % tileRowsTogether !== 0) {
    const wanted = `[R, ${steps}], R a part of ${n} rows that leaves a multiple of ${tileRowsTogether} to each`
    throw new ShapeMismatch(kernel, "step", wanted, step)
  }
  return { ...layout, m, n, k, group, sharing }
}
