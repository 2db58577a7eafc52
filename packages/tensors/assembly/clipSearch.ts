/**
 * The asymmetric clipping search (docs/method.md, "Clipping search"): every pair of shrinks of both ends of a group's
 * range, scored by d^T gram d with d = quantized - w. Eight candidates go through at a time, in the lanes of two
 * vectors.
 */
import { roundLanesToBfloat16, roundToBfloat16 } from "./cast"
import { largest, smallest } from "./extremes"
import { fma } from "./simd"

const smallestRange: f32 = 1e-5

/**
 * Four rows a of gram [g, g] from `block` on, with the columns b from there on, four numbers a column: gram is summed with
 * its transpose right of the diagonal block, so that half of it is enough. Past g there are zeros.
 */
function packRows(gram: usize, packed: usize, group: i32, padded: i32, block: i32): void {
  for (let b = block; b < padded; b++) {
    for (let a = block; a < block + 4; a++, packed += 4) {
      let value: f32 = 0
      if (a < group && b < group) {
        value = load<f32>(gram + ((<usize>(a * group + b)) << 2))
        if (b >= block + 4) value += load<f32>(gram + ((<usize>(b * group + a)) << 2))
      }
      store<f32>(packed, value)
    }
  }
}

/** Bytes of the packed rows from `block` on. */
function packedBytes(padded: i32, block: i32): usize {
  return (<usize>(padded - block)) << 4
}

/**
 * d^T gram d of eight d's [padded, 8], to `errors` [8]. `packed` has all rows of gram, or takes four at a time from
 * `gram` where that is not 0.
 */
function quadraticForms(gram: usize, packed: usize, d: usize, group: i32, padded: i32, errors: usize): void {
  let total0 = f32x4.splat(0)
  let total1 = total0
  const end = d + ((<usize>padded) << 5)
  let rows = packed
  for (let block = 0; block < padded; block += 4) {
    if (gram) packRows(gram, packed, group, padded, block)
    const own = d + ((<usize>block) << 5)
    let column = gram ? packed : rows
    rows += packedBytes(padded, block)
    let a0 = f32x4.splat(0)
    let a1 = a0
    let b0 = a0
    let b1 = a0
    let c0 = a0
    let c1 = a0
    let e0 = a0
    let e1 = a0
    for (let other = own; other < end; other += 32, column += 16) {
      const low = v128.load(other)
      const high = v128.load(other, 16)
      let g = v128.load32_splat(column)
      a0 = fma(g, low, a0)
      a1 = fma(g, high, a1)
      g = v128.load32_splat(column, 4)
      b0 = fma(g, low, b0)
      b1 = fma(g, high, b1)
      g = v128.load32_splat(column, 8)
      c0 = fma(g, low, c0)
      c1 = fma(g, high, c1)
      g = v128.load32_splat(column, 12)
      e0 = fma(g, low, e0)
      e1 = fma(g, high, e1)
    }
    total0 = fma(v128.load(own), a0, total0)
    total1 = fma(v128.load(own, 16), a1, total1)
    total0 = fma(v128.load(own, 32), b0, total0)
    total1 = fma(v128.load(own, 48), b1, total1)
    total0 = fma(v128.load(own, 64), c0, total0)
    total1 = fma(v128.load(own, 80), c1, total1)
    total0 = fma(v128.load(own, 96), e0, total0)
    total1 = fma(v128.load(own, 112), e1, total1)
  }
  v128.store(errors, total0)
  v128.store(errors, total1, 16)
}

/** What each operation is rounded to: bfloat16, or f32 as it is. */
function rounded(x: v128, coarse: i32): v128 {
  return coarse ? roundLanesToBfloat16(x) : x
}

/** d as in `deviations` with every operation rounded to bfloat16: the reference's arithmetic. */
function coarseDeviations(weight: usize, end: usize, low: v128, high: v128, top: v128, d: usize): void {
  const nothing = f32x4.splat(0)
  const range = f32x4.pmax(roundLanesToBfloat16(f32x4.sub(high, low)), f32x4.splat(smallestRange))
  const scale = roundLanesToBfloat16(f32x4.div(roundLanesToBfloat16(range), top))
  const origin = f32x4.nearest(roundLanesToBfloat16(f32x4.div(low, scale)))
  const zero = f32x4.pmin(f32x4.pmax(f32x4.neg(origin), nothing), top)
  for (; weight < end; weight += 4, d += 32) {
    const w = roundLanesToBfloat16(v128.load32_splat(weight))
    const clipped = f32x4.pmin(f32x4.pmax(w, low), high)
    const open = f32x4.add(f32x4.nearest(roundLanesToBfloat16(f32x4.div(clipped, scale))), zero)
    const code = f32x4.pmin(f32x4.pmax(open, nothing), top)
    v128.store(d, f32x4.sub(roundLanesToBfloat16(f32x4.mul(f32x4.sub(code, zero), scale)), w))
  }
}

/** d of a group for the ranges [low, high] of four candidates, 32 bytes from one weight to the next. */
function deviations(weight: usize, end: usize, low: v128, high: v128, top: v128, d: usize): void {
  const nothing = f32x4.splat(0)
  const range = f32x4.pmax(f32x4.sub(high, low), f32x4.splat(smallestRange))
  const scale = f32x4.div(range, top)
  const zero = f32x4.pmin(f32x4.pmax(f32x4.neg(f32x4.nearest(f32x4.div(low, scale))), nothing), top)
  for (; weight < end; weight += 4, d += 32) {
    const w = v128.load32_splat(weight)
    const clipped = f32x4.pmin(f32x4.pmax(w, low), high)
    const open = f32x4.add(f32x4.nearest(f32x4.div(clipped, scale)), zero)
    const code = f32x4.pmin(f32x4.pmax(open, nothing), top)
    v128.store(d, f32x4.sub(f32x4.mul(f32x4.sub(code, zero), scale), w))
  }
}

/**
 * Rows of a weight [N, K] against gram [K / g, g, g]. `factors` has what each candidate leaves of the maximum and of the
 * minimum: [candidates] and [candidates], a multiple of eight, the unclipped range first. `packs`: whether a packed gram
 * of one group fits the scratch.
 */
export function clipSearch(
  _first: i32,
  count: i32,
  scratch: usize,
  weight: usize,
  grams: usize,
  factors: usize,
  highs: usize,
  lows: usize,
  errors: usize,
  unclipped: usize,
  groups: i32,
  group: i32,
  levels: f32,
  candidates: i32,
  packs: i32,
  coarse: i32
): void {
  const padded = (group + 3) & ~3
  const groupBytes = (<usize>group) << 2
  const rowBytes = groupBytes * <usize>groups
  const d = scratch + 32
  const packed = d + ((<usize>padded) << 5)
  memory.fill(d, 0, (<usize>padded) << 5)
  for (let j = 0; j < groups; j++) {
    const gram = grams + <usize>j * <usize>group * groupBytes
    let rows = packed
    for (let block = 0; block < padded && packs; block += 4) {
      packRows(gram, rows, group, padded, block)
      rows += packedBytes(padded, block)
    }
    const direct = packs ? 0 : gram
    for (let row = 0; row < count; row++) {
      const own = weight + <usize>row * rowBytes + <usize>j * groupBytes
      const at = (<usize>(row * groups + j)) << 2
      searchRange(
        own,
        group,
        padded,
        d,
        direct,
        packed,
        scratch,
        factors,
        levels,
        candidates,
        coarse,
        highs + at,
        lows + at
      )
      store<f32>(errors + at, load<f32>(scratch))
      store<f32>(unclipped + at, load<f32>(scratch + 4))
    }
  }
}

/** The best range of one group to `highest` and `lowest`, its error and that of the first candidate to `scores`. */
function searchRange(
  weight: usize,
  group: i32,
  padded: i32,
  d: usize,
  gram: usize,
  packed: usize,
  scores: usize,
  factors: usize,
  levels: f32,
  candidates: i32,
  coarse: i32,
  highest: usize,
  lowest: usize
): void {
  const end = weight + ((<usize>group) << 2)
  const low = rounded(f32x4.splat(smallest(weight, group)), coarse)
  const high = rounded(f32x4.splat(largest(weight, group)), coarse)
  const top = f32x4.splat(levels)
  const half = (<usize>candidates) << 2
  let best: f32 = Infinity
  let first: f32 = 0
  for (let at: usize = 0; at < half; at += 32) {
    const from = factors + at
    for (let part: usize = 0; part < 32; part += 16) {
      const most = rounded(f32x4.mul(high, v128.load(from + part)), coarse)
      const least = rounded(f32x4.mul(low, v128.load(from + half + part)), coarse)
      if (coarse) coarseDeviations(weight, end, least, most, top, d + part)
      else deviations(weight, end, least, most, top, d + part)
    }
    quadraticForms(gram, packed, d, group, padded, scores)
    if (coarse) {
      v128.store(scores, roundLanesToBfloat16(v128.load(scores)))
      v128.store(scores, roundLanesToBfloat16(v128.load(scores, 16)), 16)
    }
    if (at === 0) first = load<f32>(scores)
    // Of equal errors the first one stays.
    for (let i: usize = 0; i < 32; i += 4) {
      const error = load<f32>(scores + i)
      if (error >= best) continue
      best = error
      const most = f32x4.extract_lane(high, 0) * load<f32>(from + i)
      const least = f32x4.extract_lane(low, 0) * load<f32>(from + half + i)
      store<f32>(highest, coarse ? roundToBfloat16(most) : most)
      store<f32>(lowest, coarse ? roundToBfloat16(least) : least)
    }
  }
  store<f32>(scores, best)
  store<f32>(scores + 4, first)
}
