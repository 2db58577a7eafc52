/**
 * y[m, n] = sum over k of x[m, k] w[n, k] (+ bias[n]) for few rows m: bound by reading w, which may be f32 (type 0),
 * bfloat16 (1) or half (2) and is widened in registers. Each row of w stays in the first-level cache for all rows of x.
 */
import { fma, sumLanes } from "./simd"
import { loadBfloat16, loadFloat16, weight } from "./storage"

/** Rows `first` to `first + count` of w, whose pointer is at row `first`; y and bias are whole. */
export function dotRows(
  first: i32,
  count: i32,
  w: usize,
  x: usize,
  bias: usize,
  y: usize,
  m: i32,
  k: i32,
  n: i32,
  type: i32,
  add: i32
): void {
  const rowBytes = (<usize>k) << (type === 0 ? 2 : 1)
  for (let row = first; row < first + count; row++) {
    const start: f32 = bias ? load<f32>(bias + ((<usize>row) << 2)) : 0
    for (let i = 0; i < m; i++) {
      const at = y + ((<usize>i * <usize>n + <usize>row) << 2)
      const sum = dot(w, x + ((<usize>i * <usize>k) << 2), k, type) + start
      store<f32>(at, add ? load<f32>(at) + sum : sum)
    }
    w += rowBytes
  }
}

/** One dot product, in four chains of four lanes. */
function dot(w: usize, x: usize, k: i32, type: i32): f32 {
  if (type === 1) return dotBfloat16(w, x, k)
  if (type === 2) return dotFloat16(w, x, k)
  let s0 = f32x4.splat(0)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  let i = 0
  for (; i + 16 <= k; i += 16) {
    s0 = fma(v128.load(w), v128.load(x), s0)
    s1 = fma(v128.load(w, 16), v128.load(x, 16), s1)
    s2 = fma(v128.load(w, 32), v128.load(x, 32), s2)
    s3 = fma(v128.load(w, 48), v128.load(x, 48), s3)
    w += 64
    x += 64
  }
  return finish(s0, s1, s2, s3, w, x, k - i, 0)
}

function dotBfloat16(w: usize, x: usize, k: i32): f32 {
  let s0 = f32x4.splat(0)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  let i = 0
  for (; i + 16 <= k; i += 16) {
    s0 = fma(loadBfloat16(w), v128.load(x), s0)
    s1 = fma(loadBfloat16(w + 8), v128.load(x, 16), s1)
    s2 = fma(loadBfloat16(w + 16), v128.load(x, 32), s2)
    s3 = fma(loadBfloat16(w + 24), v128.load(x, 48), s3)
    w += 32
    x += 64
  }
  return finish(s0, s1, s2, s3, w, x, k - i, 1)
}

function dotFloat16(w: usize, x: usize, k: i32): f32 {
  let s0 = f32x4.splat(0)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  let i = 0
  for (; i + 16 <= k; i += 16) {
    s0 = fma(loadFloat16(w), v128.load(x), s0)
    s1 = fma(loadFloat16(w + 8), v128.load(x, 16), s1)
    s2 = fma(loadFloat16(w + 16), v128.load(x, 32), s2)
    s3 = fma(loadFloat16(w + 24), v128.load(x, 48), s3)
    w += 32
    x += 64
  }
  return finish(s0, s1, s2, s3, w, x, k - i, 2)
}

/** The last `rest` (0 to 15) products and the sum of all chains. */
function finish(s0: v128, s1: v128, s2: v128, s3: v128, w: usize, x: usize, rest: i32, type: i32): f32 {
  let sum = sumLanes(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)))
  for (let i = 0; i < rest; i++) sum += weight(w, i, type) * load<f32>(x + ((<usize>i) << 2))
  return sum
}
