/**
 * Quantization to a codebook of levels in [-1, 1], with a scale for each side of a group, in f32, every operation rounded
 * by itself. `book` has the levels, then the thresholds between neighbours. Entries run over groups of consecutive columns.
 */
import { largest, poison, smallest } from "./extremes"
import { addDoubles } from "./reductions"
import { loadPart, storePart } from "./simd"
import { spread } from "./uniform"

/** Scale of each weight's side: of the positive one for 0. */
function scaleOf(w: v128, negative: v128, positive: v128): v128 {
  return v128.bitselect(positive, negative, f32x4.ge(w, f32x4.splat(0)))
}

/** w / scale, and 0 on a side without weights. */
function quotientOf(w: v128, scale: v128): v128 {
  return v128.and(f32x4.div(w, scale), f32x4.ne(scale, f32x4.splat(0)))
}

/** Levels nearest to quotients: the level above each threshold that they have reached; NaN for NaN. */
function levelOf(quotient: v128, book: usize, thresholds: usize, end: usize): v128 {
  let level = v128.load32_splat(book)
  for (let p = thresholds; p < end; p += 4, book += 4) {
    level = v128.bitselect(v128.load32_splat(book, 4), level, f32x4.ge(quotient, v128.load32_splat(p)))
  }
  return v128.or(level, f32x4.ne(quotient, quotient))
}

/** How many thresholds quotients have reached: the indices of their levels. */
function indexOf(quotient: v128, thresholds: usize, end: usize): v128 {
  let passed = i32x4.splat(0)
  for (let p = thresholds; p < end; p += 4) {
    passed = i32x4.sub(passed, f32x4.ge(quotient, v128.load32_splat(p)))
  }
  return passed
}

/** level(w / s) s with s the scale of w's side; 0 on a side without weights. */
function quantized(w: v128, negative: v128, positive: v128, book: usize, thresholds: usize, end: usize): v128 {
  const scale = scaleOf(w, negative, positive)
  const level = levelOf(quotientOf(w, scale), book, thresholds, end)
  return v128.and(f32x4.mul(level, scale), f32x4.ne(scale, f32x4.splat(0)))
}

export function codebookGroups(
  _first: i32,
  count: i32,
  weight: usize,
  book: usize,
  y: usize,
  negatives: usize,
  positives: usize,
  group: i32,
  levels: i32
): void {
  const thresholds = book + ((<usize>levels) << 2)
  const last = thresholds + ((<usize>(levels - 1)) << 2)
  const rest = group & 3
  const bytes = (<usize>group) << 2
  const end = bytes & ~15
  for (let index = 0; index < count; index++, negatives += 4, positives += 4, weight += bytes, y += bytes) {
    const unfit = poison(weight, group)
    store<f32>(positives, max(largest(weight, group), <f32>0) + unfit)
    store<f32>(negatives, max(-smallest(weight, group), <f32>0) + unfit)
    const positive = v128.load32_splat(positives)
    const negative = v128.load32_splat(negatives)
    let at: usize = 0
    for (; at < end; at += 16) {
      v128.store(y + at, quantized(v128.load(weight + at), negative, positive, book, thresholds, last))
    }
    if (rest)
      storePart(y + at, quantized(loadPart(weight + at, rest), negative, positive, book, thresholds, last), rest)
  }
}

/** level - w / s, by which the scale of w's side acts. */
function slopeOf(w: v128, negative: v128, positive: v128, book: usize, thresholds: usize, end: usize): v128 {
  const scale = scaleOf(w, negative, positive)
  const quotient = quotientOf(w, scale)
  const slope = f32x4.sub(levelOf(quotient, book, thresholds, end), quotient)
  return v128.and(slope, f32x4.ne(scale, f32x4.splat(0)))
}

/** dweight = dy, and the gradient of each side's scale to the weight that set it. */
export function codebookGradient(
  _first: i32,
  count: i32,
  dy: usize,
  weight: usize,
  negatives: usize,
  positives: usize,
  book: usize,
  dweight: usize,
  group: i32,
  levels: i32
): void {
  const thresholds = book + ((<usize>levels) << 2)
  const last = thresholds + ((<usize>(levels - 1)) << 2)
  const bytes = (<usize>group) << 2
  const nothing = f32x4.splat(0)
  memory.copy(dweight, dy, <usize>count * bytes)
  for (let index = 0; index < count; index++, negatives += 4, positives += 4) {
    const negative = v128.load32_splat(negatives)
    const positive = v128.load32_splat(positives)
    let above = f64x2.splat(0)
    let below = above
    for (let i = 0; i < group; i += 4) {
      const at = (<usize>i) << 2
      const rest = group - i
      // Lanes past the end have dy = 0.
      const w = rest >= 4 ? v128.load(weight + at) : loadPart(weight + at, rest)
      const d = rest >= 4 ? v128.load(dy + at) : loadPart(dy + at, rest)
      const own = f32x4.mul(d, slopeOf(w, negative, positive, book, thresholds, last))
      const side = f32x4.ge(w, nothing)
      above = addDoubles(above, v128.and(own, side))
      below = addDoubles(below, v128.andnot(own, side))
    }
    const high = load<f32>(positives)
    const low = load<f32>(negatives)
    const up = <f32>(f64x2.extract_lane(above, 0) + f64x2.extract_lane(above, 1))
    const down = <f32>(f64x2.extract_lane(below, 0) + f64x2.extract_lane(below, 1))
    if (high > 0) spread(dweight, weight, group, high, up)
    if (low > 0) spread(dweight, weight, group, -low, -down)
    dy += bytes
    weight += bytes
    dweight += bytes
  }
}

/** Index of the level of every weight, as bytes. */
export function codebookCodes(
  _first: i32,
  count: i32,
  weight: usize,
  negatives: usize,
  positives: usize,
  book: usize,
  codes: usize,
  group: i32,
  levels: i32
): void {
  const thresholds = book + ((<usize>levels) << 2)
  const last = thresholds + ((<usize>(levels - 1)) << 2)
  const whole = group & ~3
  for (let index = 0; index < count; index++, negatives += 4, positives += 4) {
    const negative = v128.load32_splat(negatives)
    const positive = v128.load32_splat(positives)
    let i = 0
    for (; i < whole; i += 4, weight += 16, codes += 4) {
      const w = v128.load(weight)
      const passed = indexOf(quotientOf(w, scaleOf(w, negative, positive)), thresholds, last)
      v128.store32_lane(codes, v128.swizzle(passed, i8x16(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)), 0)
    }
    for (; i < group; i++, weight += 4, codes++) {
      const w = v128.load32_zero(weight)
      const passed = indexOf(quotientOf(w, scaleOf(w, negative, positive)), thresholds, last)
      store<u8>(codes, <u8>i32x4.extract_lane(passed, 0))
    }
  }
}

/** y = level of the code times the scale of the level's side */
export function codebookDecode(
  _first: i32,
  count: i32,
  codes: usize,
  negatives: usize,
  positives: usize,
  book: usize,
  y: usize,
  group: i32
): void {
  for (let index = 0; index < count; index++, negatives += 4, positives += 4) {
    for (let i = 0; i < group; i++, codes++, y += 4) {
      const level = load<f32>(book + ((<usize>load<u8>(codes)) << 2))
      // A choice of addresses takes no branch.
      store<f32>(y, level * load<f32>(level >= 0 ? positives : negatives))
    }
  }
}
