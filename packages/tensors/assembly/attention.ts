/** Rows of attention scores in scratch: softmax over the keys that a query sees, and its gradient. */
import { exp } from "./math"
import { fma, loadPart, storePart, sumLanes } from "./simd"
import { expRow, rowMax, scaleRow } from "./softmax"

/** Sets the scores of hidden keys to `value`; returns how many are seen. */
function hide(scores: usize, mask: usize, count: i32, value: f32): i32 {
  const hidden = f32x4.splat(value)
  let lanes = i32x4.splat(0)
  let key = 0
  for (; key + 4 <= count; key += 4) {
    const at = (<usize>key) << 2
    const off = i32x4.eq(v128.load(mask + at), i32x4.splat(0))
    if (!v128.any_true(off)) continue
    v128.store(scores + at, v128.bitselect(hidden, v128.load(scores + at), off))
    lanes = i32x4.add(lanes, off)
  }
  let seen = count + i32x4.extract_lane(lanes, 0) + i32x4.extract_lane(lanes, 1)
  seen += i32x4.extract_lane(lanes, 2) + i32x4.extract_lane(lanes, 3)
  for (; key < count; key++) {
    if (load<i32>(mask + ((<usize>key) << 2)) !== 0) continue
    store<f32>(scores + ((<usize>key) << 2), value)
    seen--
  }
  return seen
}

/** How many of `keys` keys row `row` sees when row 0 sees `first`, which may be below 0. */
function visible(first: i32, row: i32, keys: i32): i32 {
  return max(0, min(keys, first + row))
}

/**
 * Scores [rows, keys] in place: e = exp(scale s - most), 0 where nothing is seen. Written too: logSumExp [rows], -infinity
 * for a row that sees no key, and the factors 1 / sum of e that rows of probabilities lack. mask i32 [keys], or no pointer.
 */
export function attentionRows(
  rows: i32,
  keys: i32,
  scores: usize,
  mask: usize,
  statistics: usize,
  normalizers: usize,
  first: i32,
  scale: f32
): void {
  for (let row = 0; row < rows; row++, scores += (<usize>keys) << 2, statistics += 4, normalizers += 4) {
    const count = visible(first, row, keys)
    let seen = count
    let factor = scale
    if (scale < 0) {
      scaleRow(scores, count, scale)
      factor = 1
    }
    if (mask) seen = hide(scores, mask, count, -Infinity)
    if (seen === 0) {
      memory.fill(scores, 0, (<usize>keys) << 2)
      store<f32>(statistics, -Infinity)
      store<f32>(normalizers, 1)
      continue
    }
    const most = rowMax(scores, count) * factor
    const sum = expRow(scores, scores, count, factor, most)
    store<f32>(normalizers, <f32>1 / sum)
    memory.fill(scores + ((<usize>count) << 2), 0, (<usize>(keys - count)) << 2)
    store<f32>(statistics, <f32>(<f64>most + Math.log(<f64>sum)))
  }
}

/**
 * In place: scores become p = exp(scale s - logSumExp), slopes (dp) become scale p (dp - dots), both 0 where nothing is
 * seen. dots [rows] are the inner products of dy and y.
 */
export function attentionGradientRows(
  rows: i32,
  keys: i32,
  scores: usize,
  slopes: usize,
  mask: usize,
  statistics: usize,
  dots: usize,
  first: i32,
  scale: f32
): void {
  const factor = f32x4.splat(scale)
  const rowBytes = (<usize>keys) << 2
  for (let row = 0; row < rows; row++, scores += rowBytes, slopes += rowBytes, statistics += 4, dots += 4) {
    const normalizer = load<f32>(statistics)
    const count = normalizer === -Infinity ? 0 : visible(first, row, keys)
    const shift = f32x4.splat(-normalizer)
    const dot = f32x4.splat(load<f32>(dots))
    const end = (<usize>(count & ~3)) << 2
    let at: usize = 0
    for (; at < end; at += 16) {
      const p = exp(fma(v128.load(scores + at), factor, shift))
      v128.store(scores + at, p)
      v128.store(slopes + at, f32x4.mul(f32x4.mul(factor, p), f32x4.sub(v128.load(slopes + at), dot)))
    }
    const rest = count & 3
    if (rest) {
      const p = exp(fma(loadPart(scores + at, rest), factor, shift))
      const slope = f32x4.mul(f32x4.mul(factor, p), f32x4.sub(loadPart(slopes + at, rest), dot))
      storePart(scores + at, p, rest)
      storePart(slopes + at, slope, rest)
    }
    if (mask) {
      hide(scores, mask, count, 0)
      hide(slopes, mask, count, 0)
    }
    const tail = (<usize>count) << 2
    memory.fill(scores + tail, 0, rowBytes - tail)
    memory.fill(slopes + tail, 0, rowBytes - tail)
  }
}

/** y[r] *= factors[r] for rows `stride` floats apart. */
export function scaleRowsBy(rows: i32, columns: i32, y: usize, stride: i32, factors: usize): void {
  for (let row = 0; row < rows; row++, y += (<usize>stride) << 2, factors += 4) {
    scaleRow(y, columns, load<f32>(factors))
  }
}

/** dots[r] = inner product of rows of a and b, both `stride` floats apart. */
export function rowDots(rows: i32, columns: i32, a: usize, b: usize, stride: i32, dots: usize): void {
  const step = (<usize>stride) << 2
  for (let row = 0; row < rows; row++, a += step, b += step, dots += 4) {
    let sum = f32x4.splat(0)
    let i = 0
    for (; i + 4 <= columns; i += 4) sum = fma(v128.load(a + ((<usize>i) << 2)), v128.load(b + ((<usize>i) << 2)), sum)
    const at = (<usize>i) << 2
    if (i < columns) sum = fma(loadPart(a + at, columns - i), loadPart(b + at, columns - i), sum)
    store<f32>(dots, sumLanes(sum))
  }
}

/** y[r] = sum of `heads` rows of `columns` floats, in order: gradients of a key-value head from those of its heads. */
export function sumHeads(_first: i32, count: i32, x: usize, y: usize, heads: i32, columns: i32): void {
  const bytes = (<usize>columns) << 2
  for (let row = 0; row < count; row++, y += bytes) {
    memory.copy(y, x, bytes)
    x += bytes
    for (let head = 1; head < heads; head++, x += bytes) {
      let i = 0
      for (; i + 4 <= columns; i += 4) {
        const at = (<usize>i) << 2
        v128.store(y + at, f32x4.add(v128.load(y + at), v128.load(x + at)))
      }
      for (; i < columns; i++) {
        const at = (<usize>i) << 2
        store<f32>(y + at, load<f32>(y + at) + load<f32>(x + at))
      }
    }
  }
}
