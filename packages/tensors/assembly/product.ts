/**
 * The matrix product on packed panels. A panel of A holds 4 rows, one of B 8 columns, element after element along the
 * inner extent, so that the register tile of 4 x 8 sums reads both in order.
 * The tile is neither unrolled nor inlined: V8 moves all loads of a block to its start and would spill the sums.
 */
import { fma } from "./simd"

const tileRows = 4
const tileColumns = 8

/**
 * Packs rows of A [rows, depth] into panels of 4, short panels filled up with zeros; `transposed`: stored [depth, rows].
 */
export function packRows(rows: i32, depth: i32, a: usize, stride: i32, transposed: i32, to: usize): void {
  for (let row = 0; row < rows; row += tileRows) {
    const count = min(tileRows, rows - row)
    if (transposed) packAlong(count, depth, a + ((<usize>row) << 2), stride, to, tileRows)
    else packAcross(count, depth, a + ((<usize>row * <usize>stride) << 2), stride, to, tileRows)
    to += (<usize>depth * tileRows) << 2
  }
}

/** Packs columns of B [depth, columns] into panels of 8; `transposed`: stored [columns, depth]. */
export function packColumns(columns: i32, depth: i32, b: usize, stride: i32, transposed: i32, to: usize): void {
  for (let column = 0; column < columns; column += tileColumns) {
    const count = min(tileColumns, columns - column)
    if (transposed) packAcross(count, depth, b + ((<usize>column * <usize>stride) << 2), stride, to, tileColumns)
    else packAlong(count, depth, b + ((<usize>column) << 2), stride, to, tileColumns)
    to += (<usize>depth * tileColumns) << 2
  }
}

/** `count` lines that lie beside each other in storage: every step of depth is a short run. */
function packAlong(count: i32, depth: i32, from: usize, stride: i32, to: usize, panel: i32): void {
  const step = (<usize>stride) << 2
  if (count === panel) {
    for (let k = 0; k < depth; k++) {
      v128.store(to, v128.load(from))
      if (panel === 8) v128.store(to, v128.load(from, 16), 16)
      from += step
      to += (<usize>panel) << 2
    }
    return
  }
  for (let k = 0; k < depth; k++) {
    for (let i = 0; i < panel; i++) {
      store<f32>(to + ((<usize>i) << 2), i < count ? load<f32>(from + ((<usize>i) << 2)) : 0)
    }
    from += step
    to += (<usize>panel) << 2
  }
}

/** `count` lines that each run along depth: blocks of 4 x 4 are transposed in registers. */
function packAcross(count: i32, depth: i32, from: usize, stride: i32, to: usize, panel: i32): void {
  const step = (<usize>stride) << 2
  const wide = (<usize>panel) << 2
  for (let line = 0; line < panel; line += 4) {
    const p0 = from + <usize>line * step
    const target = to + ((<usize>line) << 2)
    let k = 0
    if (line + 4 <= count) {
      const p1 = p0 + step
      const p2 = p1 + step
      const p3 = p2 + step
      for (; k + 4 <= depth; k += 4) {
        const at = (<usize>k) << 2
        const r0 = v128.load(p0 + at)
        const r1 = v128.load(p1 + at)
        const r2 = v128.load(p2 + at)
        const r3 = v128.load(p3 + at)
        const low01 = v128.shuffle<f32>(r0, r1, 0, 4, 1, 5)
        const low23 = v128.shuffle<f32>(r2, r3, 0, 4, 1, 5)
        const high01 = v128.shuffle<f32>(r0, r1, 2, 6, 3, 7)
        const high23 = v128.shuffle<f32>(r2, r3, 2, 6, 3, 7)
        const q = target + <usize>k * wide
        v128.store(q, v128.shuffle<f64>(low01, low23, 0, 2))
        v128.store(q + wide, v128.shuffle<f64>(low01, low23, 1, 3))
        v128.store(q + 2 * wide, v128.shuffle<f64>(high01, high23, 0, 2))
        v128.store(q + 3 * wide, v128.shuffle<f64>(high01, high23, 1, 3))
      }
    }
    for (; k < depth; k++) {
      for (let i = 0; i < 4; i++) {
        const value: f32 = line + i < count ? load<f32>(p0 + <usize>i * step + ((<usize>k) << 2)) : 0
        store<f32>(target + <usize>k * wide + ((<usize>i) << 2), value)
      }
    }
  }
}

/**
 * C [rows, columns] = A B, or += when `add`, for one packed block of each; `tile` is 128 bytes of scratch for the edges.
 */
export function multiplyPanels(
  rows: i32,
  columns: i32,
  depth: i32,
  a: usize,
  b: usize,
  c: usize,
  stride: i32,
  add: i32,
  tile: usize
): void {
  const wide = (<usize>stride) << 2
  const panelA = (<usize>depth * tileRows) << 2
  const panelB = (<usize>depth * tileColumns) << 2
  for (let column = 0; column < columns; column += tileColumns) {
    const width = min(tileColumns, columns - column)
    let left = a
    for (let row = 0; row < rows; row += tileRows) {
      const height = min(tileRows, rows - row)
      const target = c + <usize>row * wide + ((<usize>column) << 2)
      if (height === tileRows && width === tileColumns) multiplyTile(depth, left, b, target, wide, add)
      else {
        multiplyTile(depth, left, b, tile, 4 * tileColumns, 0)
        addTile(height, width, tile, target, wide, add)
      }
      left += panelA
    }
    b += panelB
  }
}

/** The part of a tile that lies inside of C. */
function addTile(height: i32, width: i32, tile: usize, c: usize, wide: usize, add: i32): void {
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const at = c + <usize>row * wide + ((<usize>column) << 2)
      const value = load<f32>(tile + ((<usize>(row * tileColumns + column)) << 2))
      store<f32>(at, add ? load<f32>(at) + value : value)
    }
  }
}

/** Stores or adds two vectors. */
function put(c: usize, left: v128, right: v128, add: i32): void {
  if (add) {
    left = f32x4.add(v128.load(c), left)
    right = f32x4.add(v128.load(c, 16), right)
  }
  v128.store(c, left)
  v128.store(c, right, 16)
}

/** One tile: 4 x 8 sums over `depth`. */
function multiplyTile(depth: i32, a: usize, b: usize, c: usize, wide: usize, add: i32): void {
  let c00 = f32x4.splat(0)
  let c01 = c00
  let c10 = c00
  let c11 = c00
  let c20 = c00
  let c21 = c00
  let c30 = c00
  let c31 = c00
  const end = a + ((<usize>depth * tileRows) << 2)
  do {
    const b0 = v128.load(b)
    const b1 = v128.load(b, 16)
    const a0 = v128.load32_splat(a)
    const a1 = v128.load32_splat(a, 4)
    const a2 = v128.load32_splat(a, 8)
    const a3 = v128.load32_splat(a, 12)
    c00 = fma(a0, b0, c00)
    c01 = fma(a0, b1, c01)
    c10 = fma(a1, b0, c10)
    c11 = fma(a1, b1, c11)
    c20 = fma(a2, b0, c20)
    c21 = fma(a2, b1, c21)
    c30 = fma(a3, b0, c30)
    c31 = fma(a3, b1, c31)
    a += 16
    b += 32
  } while (a < end)
  put(c, c00, c01, add)
  put(c + wide, c10, c11, add)
  put(c + 2 * wide, c20, c21, add)
  put(c + 3 * wide, c30, c31, add)
}
