/**
 * Attention of one query: all heads that share keys in one pass, so that keys and values are read once, from where they
 * lie. Bound by reading them; what a block of numbers is added up in stays in registers.
 */
import { attentionRows, scaleRowsBy } from "./attention"
import { fma, sumEach } from "./simd"

/** Keys whose values stay in the first cache while all heads take them. */
const blockKeys = 64
const lineBytes: usize = 64

/**
 * Groups `first` to `first + count` of batch times groups. q and y [B, groups heads, width], k and v [B, keys, groups,
 * width], mask i32 [B, keys] or no pointer, statistics [B, groups heads]; scratch holds heads (keys + 1) floats.
 */
export function attentionQuery(
  first: i32,
  count: i32,
  scratch: usize,
  q: usize,
  k: usize,
  v: usize,
  mask: usize,
  y: usize,
  statistics: usize,
  keys: i32,
  groups: i32,
  heads: i32,
  width: i32,
  scale: f32
): void {
  const headBytes = (<usize>width) << 2
  const keyBytes = headBytes * <usize>groups
  const normalizers = scratch + ((<usize>heads * <usize>keys) << 2)
  for (let index = first; index < first + count; index++) {
    const item = index / groups
    const own = <usize>index * <usize>heads
    const shared = <usize>item * <usize>keys * keyBytes + <usize>(index % groups) * headBytes
    const target = y + own * headBytes
    const bits = dotKeys(heads, keys, width, q + own * headBytes, k + shared, v + shared, keyBytes, scratch)
    // Stored, or it would not be loaded; overwritten by the next line.
    store<i32>(normalizers, bits)
    const masked = mask ? mask + ((<usize>item * <usize>keys) << 2) : 0
    attentionRows(heads, keys, scratch, masked, statistics + (own << 2), normalizers, keys, scale)
    memory.fill(target, 0, <usize>heads * headBytes)
    for (let key = 0; key < keys; key += blockKeys) {
      const weights = scratch + ((<usize>key) << 2)
      const values = v + shared + <usize>key * keyBytes
      addValues(heads, min(blockKeys, keys - key), width, weights, (<usize>keys) << 2, values, keyBytes, target)
    }
    scaleRowsBy(heads, width, target, width, normalizers)
  }
}

/**
 * scores [heads, keys] = q k^T, four keys at a time, a quarter of the keys apart: the processor fetches ahead in as many
 * places. The values are only looked at, for the same reason: what adds them up finds them in the cache. Returns their bits.
 */
function dotKeys(heads: i32, keys: i32, width: i32, q: usize, k: usize, v: usize, keyBytes: usize, scores: usize): i32 {
  const headBytes = (<usize>width) << 2
  const apart = keys >> 2
  const far = <usize>apart * keyBytes
  let bits = 0
  for (let key = 0; key < apart; key++, k += keyBytes, v += keyBytes) {
    for (let at: usize = 0; at < headBytes; at += lineBytes) {
      const value = v + at
      bits |= load<i32>(value) | load<i32>(value + far) | load<i32>(value + 2 * far) | load<i32>(value + 3 * far)
    }
    const to = scores + ((<usize>key) << 2)
    dotFour(heads, keys, width, q, k, k + far, k + 2 * far, k + 3 * far, 4, to, (<usize>apart) << 2)
  }
  k += 3 * far
  const rest = keys & 3
  if (rest) {
    const k1 = rest > 1 ? k + keyBytes : k
    const k2 = rest > 2 ? k1 + keyBytes : k1
    dotFour(heads, keys, width, q, k, k1, k2, k2, rest, scores + ((<usize>apart) << 4), 4)
  }
  return bits
}

/** Scores of `count` (1 to 4) keys, `apart` bytes apart, two heads at a time; an odd last head is computed twice. */
function dotFour(
  heads: i32,
  keys: i32,
  width: i32,
  q: usize,
  k0: usize,
  k1: usize,
  k2: usize,
  k3: usize,
  count: i32,
  scores: usize,
  apart: usize
): void {
  const headBytes = (<usize>width) << 2
  const end = (<usize>(width & ~3)) << 2
  for (let head = 0; head < heads; head += 2) {
    const other = min(head + 1, heads - 1)
    const a = q + <usize>head * headBytes
    const b = q + <usize>other * headBytes
    let a0 = f32x4.splat(0)
    let a1 = a0
    let a2 = a0
    let a3 = a0
    let b0 = a0
    let b1 = a0
    let b2 = a0
    let b3 = a0
    let at: usize = 0
    for (; at < end; at += 16) {
      const qa = v128.load(a + at)
      const qb = v128.load(b + at)
      const n0 = v128.load(k0 + at)
      const n1 = v128.load(k1 + at)
      a0 = fma(qa, n0, a0)
      b0 = fma(qb, n0, b0)
      a1 = fma(qa, n1, a1)
      b1 = fma(qb, n1, b1)
      const n2 = v128.load(k2 + at)
      const n3 = v128.load(k3 + at)
      a2 = fma(qa, n2, a2)
      b2 = fma(qb, n2, b2)
      a3 = fma(qa, n3, a3)
      b3 = fma(qb, n3, b3)
    }
    let sumA = sumEach(a0, a1, a2, a3)
    let sumB = sumEach(b0, b1, b2, b3)
    for (; at < headBytes; at += 4) {
      let numbers = v128.load32_splat(k0 + at)
      numbers = v128.load_lane<f32>(k1 + at, numbers, 1)
      numbers = v128.load_lane<f32>(k2 + at, numbers, 2)
      numbers = v128.load_lane<f32>(k3 + at, numbers, 3)
      sumA = fma(v128.load32_splat(a + at), numbers, sumA)
      sumB = fma(v128.load32_splat(b + at), numbers, sumB)
    }
    storeApart(scores + ((<usize>head * <usize>keys) << 2), sumA, count, apart)
    storeApart(scores + ((<usize>other * <usize>keys) << 2), sumB, count, apart)
  }
}

/** Stores the first `count` floats `apart` bytes apart. */
function storeApart(p: usize, v: v128, count: i32, apart: usize): void {
  v128.store_lane<f32>(p, v, 0)
  if (count > 1) v128.store_lane<f32>(p + apart, v, 1)
  if (count > 2) v128.store_lane<f32>(p + 2 * apart, v, 2)
  if (count > 3) v128.store_lane<f32>(p + 3 * apart, v, 3)
}

/** y [heads, width] += weights v, rows of weights `weightBytes` apart: four heads and eight columns at a time. */
function addValues(
  heads: i32,
  keys: i32,
  width: i32,
  weights: usize,
  weightBytes: usize,
  v: usize,
  keyBytes: usize,
  y: usize
): void {
  const headBytes = (<usize>width) << 2
  const tiled = (<usize>(width & ~7)) << 2
  const last = heads - 1
  for (let head = 0; head < heads; head += 4) {
    const h1 = <usize>min(head + 1, last)
    const h2 = <usize>min(head + 2, last)
    const h3 = <usize>min(head + 3, last)
    for (let at: usize = 0; at < tiled; at += 32) {
      const yA = y + <usize>head * headBytes + at
      const yB = y + h1 * headBytes + at
      const yC = y + h2 * headBytes + at
      const yD = y + h3 * headBytes + at
      let wA = weights + <usize>head * weightBytes
      let wB = weights + h1 * weightBytes
      let wC = weights + h2 * weightBytes
      let wD = weights + h3 * weightBytes
      let a0 = v128.load(yA)
      let a1 = v128.load(yA, 16)
      let b0 = v128.load(yB)
      let b1 = v128.load(yB, 16)
      let c0 = v128.load(yC)
      let c1 = v128.load(yC, 16)
      let d0 = v128.load(yD)
      let d1 = v128.load(yD, 16)
      let value = v + at
      for (const end = wA + ((<usize>keys) << 2); wA < end; wA += 4, wB += 4, wC += 4, wD += 4, value += keyBytes) {
        const v0 = v128.load(value)
        const v1 = v128.load(value, 16)
        let w = v128.load32_splat(wA)
        a0 = fma(w, v0, a0)
        a1 = fma(w, v1, a1)
        w = v128.load32_splat(wB)
        b0 = fma(w, v0, b0)
        b1 = fma(w, v1, b1)
        w = v128.load32_splat(wC)
        c0 = fma(w, v0, c0)
        c1 = fma(w, v1, c1)
        w = v128.load32_splat(wD)
        d0 = fma(w, v0, d0)
        d1 = fma(w, v1, d1)
      }
      v128.store(yA, a0)
      v128.store(yA, a1, 16)
      v128.store(yB, b0)
      v128.store(yB, b1, 16)
      v128.store(yC, c0)
      v128.store(yC, c1, 16)
      v128.store(yD, d0)
      v128.store(yD, d1, 16)
    }
  }
  for (let head = 0; head < heads; head++) {
    for (let at = tiled; at < headBytes; at += 4) {
      const target = y + <usize>head * headBytes + at
      let sum = load<f32>(target)
      for (let key = 0; key < keys; key++) {
        sum +=
          load<f32>(weights + <usize>head * weightBytes + ((<usize>key) << 2)) *
          load<f32>(v + <usize>key * keyBytes + at)
      }
      store<f32>(target, sum)
    }
  }
}
