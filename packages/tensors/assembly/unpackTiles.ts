/**
 * A block of a weight out of its tiles of codes (dotCodes.ts says how they lie): w[n, k] = scale[n, k / g] (code[n, k] - zero[n, k / g]),
 * each operation in f32, so that a product can take it from the cache.
 */
import { weight } from "./storage"

/**
 * Rows `row` to `row + rows` and columns `column` to `column + columns` to `y`, rows `stride` floats apart. Columns are whole lanes: 16 of
 * 2 bits, 8 of 4. The operands are whole; `sharing` and `type` as of dotCodes.
 */
export function unpackTiles(
  row: i32,
  rows: i32,
  column: i32,
  columns: i32,
  codes: usize,
  grid: usize,
  origin: usize,
  step: usize,
  k: i32,
  group: i32,
  bits: i32,
  sharing: i32,
  type: i32,
  y: usize,
  stride: i32
): void {
  for (let r = row; r < row + rows; r++, y += (<usize>stride) << 2) {
    if (bits === 2) unpackRow<u16>(r, column, columns, codes, grid, origin, step, k, group, sharing, type, y)
    else unpackRow<u32>(r, column, columns, codes, grid, origin, step, k, group, sharing, type, y)
  }
}

function unpackRow<T>(
  row: i32,
  column: i32,
  columns: i32,
  codes: usize,
  grid: usize,
  origin: usize,
  step: usize,
  k: i32,
  group: i32,
  sharing: i32,
  type: i32,
  y: usize
): void {
  const columnsOfLane = 32 / <i32>sizeof<T>()
  const chunks = (k + 4 * columnsOfLane - 1) / (4 * columnsOfLane)
  const byRows = group % (4 * columnsOfLane) === 0
  const steps = byRows ? k / group : 4 * chunks
  const tile = row >> 2
  const turn = row & 3
  const shared = sharing ? (row / sharing) * steps : 0
  codes += ((<usize>tile * <usize>chunks) << 6) + ((<usize>turn) << 4)
  grid += ((<usize>tile * <usize>steps) << 2) + <usize>turn
  let at = -1
  let zero = f32x4.splat(0)
  let scale = zero
  for (let lane = column / columnsOfLane; lane < (column + columns) / columnsOfLane; lane++) {
    const next = byRows ? (lane * columnsOfLane) / group : lane
    if (next !== at) {
      at = next
      const both = <i32>load<u8>(grid + ((<usize>at) << 2))
      zero = f32x4.splat(<f32>(both >> 4))
      if (sharing) {
        const place = (<usize>(shared + at)) << 2
        scale = f32x4.splat(load<f32>(step + place) * <f32>(both & 15) + load<f32>(origin + place))
      } else {
        const index = byRows ? (tile * steps + at) * 4 + turn : ((tile * chunks + (lane >> 2)) * 4 + turn) * 4 + (lane & 3)
        scale = f32x4.splat(weight(origin, index, type))
      }
    }
    const word = load<u32>(codes + ((<usize>(lane >> 2)) << 6) + ((<usize>(lane & 3)) << 2))
    putLane<T>(word, zero, scale, y)
    y += (<usize>columnsOfLane) << 2
  }
}

/** The codes of a lane. */
@inline
function putLane<T>(word: u32, zero: v128, scale: v128, y: usize): void {
  putFour<T>(word, zero, scale, y)
  if (sizeof<T>() === 2) {
    putFour<T>(word >> 8, zero, scale, y + 16)
    putFour<T>(word >> 16, zero, scale, y + 32)
    putFour<T>(word >> 24, zero, scale, y + 48)
  } else putFour<T>(word >> 16, zero, scale, y + 16)
}

/** Four codes, each where it lies in the lowest bits of `word`: a code times a power of four or sixteen, brought back without rounding. */
@inline
function putFour<T>(word: u32, zero: v128, scale: v128, y: usize): void {
  const places = sizeof<T>() === 2 ? i32x4(3, 3 << 2, 3 << 4, 3 << 6) : i32x4(15, 15 << 4, 15 << 8, 15 << 12)
  const shares =
    sizeof<T>() === 2
      ? f32x4(1, 1 / 4, 1 / 16, 1 / 64)
      : f32x4(1, 1 / 16, 1 / 256, 1 / 4096)
  const code = f32x4.mul(f32x4.convert_i32x4_s(v128.and(i32x4.splat(word), places)), shares)
  v128.store(y, f32x4.mul(scale, f32x4.sub(code, zero)))
}
