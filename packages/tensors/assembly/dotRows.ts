/**
 * y[m, n] = sum over k of x[m, k] w[n, k] (+ bias[n]) for few rows m: bound by reading w, which may be f32 (type 0),
 * bfloat16 (1) or half (2) and is widened in registers; f32 that count as the bfloat16 nearest to them (3) are rounded there.
 * Eight rows are read at once, an eighth of the part apart: each lies in a page of its own, and the processor fetches
 * ahead page by page, so eight of its streams bring twice what one does. They stay in the cache for the next row of x.
 */
import { roundLanesToBfloat16, roundToBfloat16 } from "./cast"
import { fma, sumLanes } from "./simd"
import { loadFloat16, weight } from "./storage"

/** Rows that are read at once. */
const streams = 8
/** Numbers of a row that one step multiplies. */
const stepNumbers = 8

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
  if (type === 0) dotAll<f32>(first, count, w, x, bias, y, m, k, n, add)
  else if (type === 1) dotAll<u16>(first, count, w, x, bias, y, m, k, n, add)
  else if (type === 2) dotAll<i16>(first, count, w, x, bias, y, m, k, n, add)
  else dotAll<u32>(first, count, w, x, bias, y, m, k, n, add)
}

/** T: f32, u16 for the patterns of bfloat16, i16 for those of halves, u32 for f32 that are rounded to bfloat16. */
function dotAll<T>(
  first: i32,
  count: i32,
  w: usize,
  x: usize,
  bias: usize,
  y: usize,
  m: i32,
  k: i32,
  n: i32,
  add: i32
): void {
  const rowBytes = <usize>k * sizeof<T>()
  const apart = count / streams
  for (let row = 0; row < apart; row++, w += rowBytes) {
    for (let i = 0; i < m; i++) {
      const target = y + ((<usize>i * <usize>n) << 2)
      dotStreams<T>(
        first + row,
        apart,
        w,
        <usize>apart * rowBytes,
        x + ((<usize>i * <usize>k) << 2),
        bias,
        target,
        k,
        add
      )
    }
  }
  w += <usize>(apart * (streams - 1)) * rowBytes
  for (let row = first + apart * streams; row < first + count; row++, w += rowBytes) {
    for (let i = 0; i < m; i++) {
      const target = y + ((<usize>i * <usize>n) << 2)
      put(row, dotOne<T>(w, x + ((<usize>i * <usize>k) << 2), k), bias, target, add)
    }
  }
}

function isRounded<T>(): bool {
  return sizeof<T>() === 4 && !isFloat<T>()
}

/** The products of a step with one row, added to a chain of four lanes; `even` and `odd` are the numbers of x. */
function step<T>(w: usize, even: v128, odd: v128, sum: v128): v128 {
  if (isFloat<T>()) return fma(v128.load(w, 16), odd, fma(v128.load(w), even, sum))
  if (isRounded<T>()) {
    return fma(roundLanesToBfloat16(v128.load(w, 16)), odd, fma(roundLanesToBfloat16(v128.load(w)), even, sum))
  }
  if (isSigned<T>()) return fma(loadFloat16(w + 8), odd, fma(loadFloat16(w), even, sum))
  // Two bfloat16 in 32 bits: the lower one is moved up, the upper one freed of the lower.
  const pairs = v128.load(w)
  return fma(v128.and(pairs, i32x4.splat(0xffff0000)), odd, fma(i32x4.shl(pairs, 16), even, sum))
}

/** The numbers of x that go with the first half of what `step` widens: bfloat16 come as even and odd ones. */
function evenOf<T>(x: usize): v128 {
  if (sizeof<T>() === 4 || isSigned<T>()) return v128.load(x)
  return v128.shuffle<f32>(v128.load(x), v128.load(x, 16), 0, 2, 4, 6)
}

function oddOf<T>(x: usize): v128 {
  if (sizeof<T>() === 4 || isSigned<T>()) return v128.load(x, 16)
  return v128.shuffle<f32>(v128.load(x), v128.load(x, 16), 1, 3, 5, 7)
}

/** One row of x with rows `row`, `row + apart`, ... of w, which are `far` bytes apart. */
function dotStreams<T>(
  row: i32,
  apart: i32,
  w: usize,
  far: usize,
  x: usize,
  bias: usize,
  y: usize,
  k: i32,
  add: i32
): void {
  let s0 = f32x4.splat(0)
  let s1 = s0
  let s2 = s0
  let s3 = s0
  let s4 = s0
  let s5 = s0
  let s6 = s0
  let s7 = s0
  let upper = w + 4 * far
  const rest = k % stepNumbers
  const end = w + <usize>(k - rest) * sizeof<T>()
  while (w < end) {
    const even = evenOf<T>(x)
    const odd = oddOf<T>(x)
    s0 = step<T>(w, even, odd, s0)
    s1 = step<T>(w + far, even, odd, s1)
    s2 = step<T>(w + 2 * far, even, odd, s2)
    s3 = step<T>(w + 3 * far, even, odd, s3)
    s4 = step<T>(upper, even, odd, s4)
    s5 = step<T>(upper + far, even, odd, s5)
    s6 = step<T>(upper + 2 * far, even, odd, s6)
    s7 = step<T>(upper + 3 * far, even, odd, s7)
    w += stepNumbers * sizeof<T>()
    upper += stepNumbers * sizeof<T>()
    x += stepNumbers << 2
  }
  put(row, finish<T>(s0, w, x, rest), bias, y, add)
  put(row + apart, finish<T>(s1, w + far, x, rest), bias, y, add)
  put(row + 2 * apart, finish<T>(s2, w + 2 * far, x, rest), bias, y, add)
  put(row + 3 * apart, finish<T>(s3, w + 3 * far, x, rest), bias, y, add)
  put(row + 4 * apart, finish<T>(s4, upper, x, rest), bias, y, add)
  put(row + 5 * apart, finish<T>(s5, upper + far, x, rest), bias, y, add)
  put(row + 6 * apart, finish<T>(s6, upper + 2 * far, x, rest), bias, y, add)
  put(row + 7 * apart, finish<T>(s7, upper + 3 * far, x, rest), bias, y, add)
}

/** One row with one row, in the same order: how rows are cut into parts changes no bit. */
function dotOne<T>(w: usize, x: usize, k: i32): f32 {
  let sum = f32x4.splat(0)
  const rest = k % stepNumbers
  const end = w + <usize>(k - rest) * sizeof<T>()
  while (w < end) {
    sum = step<T>(w, evenOf<T>(x), oddOf<T>(x), sum)
    w += stepNumbers * sizeof<T>()
    x += stepNumbers << 2
  }
  return finish<T>(sum, w, x, rest)
}

/** The sum of a chain and the last `rest` (0 to 7) products. */
function finish<T>(chain: v128, w: usize, x: usize, rest: i32): f32 {
  let sum = sumLanes(chain)
  const type = sizeof<T>() === 4 ? 0 : isSigned<T>() ? 2 : 1
  for (let i = 0; i < rest; i++) {
    const one = weight(w, i, type)
    sum += (isRounded<T>() ? roundToBfloat16(one) : one) * load<f32>(x + ((<usize>i) << 2))
  }
  return sum
}

/** Stores or adds the result of a row. */
export function put(row: i32, sum: f32, bias: usize, y: usize, add: i32): void {
  const at = (<usize>row) << 2
  if (bias) sum += load<f32>(bias + at)
  store<f32>(y + at, add ? load<f32>(y + at) + sum : sum)
}
