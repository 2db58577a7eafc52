/**
 * Quantization to a codebook of levels in [-1, 1], with a scale for each side of a group, in f32.
 * `book` has the levels, then the thresholds between neighbours. Entries run over groups of consecutive columns.
 */
import { spread } from "./uniform"

/** How many thresholds a quotient has reached: the index of its level. */
function indexOf(quotient: f32, book: usize, levels: i32): i32 {
  const thresholds = book + ((<usize>levels) << 2)
  let passed = 0
  for (let i = 0; i < levels - 1; i++) if (quotient >= load<f32>(thresholds + ((<usize>i) << 2))) passed++
  return passed
}

/** The level nearest to a weight; on a side without weights 0, and NaN for NaN. */
function levelOf(quotient: f32, scale: f32, book: usize, levels: i32): f32 {
  if (scale === 0) return 0
  if (!(quotient <= 0 || quotient > 0)) return quotient
  return load<f32>(book + ((<usize>indexOf(quotient, book, levels)) << 2))
}

function quotientOf(w: f32, scale: f32): f32 {
  return scale === 0 ? 0 : w / scale
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
  for (let index = 0; index < count; index++, negatives += 4, positives += 4) {
    let low: f32 = Infinity
    let high: f32 = -Infinity
    for (let i = 0; i < group; i++) {
      const w = load<f32>(weight + ((<usize>i) << 2))
      low = min(low, w)
      high = max(high, w)
    }
    const positive = max(high, <f32>0)
    const negative = max(-low, <f32>0)
    store<f32>(positives, positive)
    store<f32>(negatives, negative)
    for (let i = 0; i < group; i++, weight += 4, y += 4) {
      const w = load<f32>(weight)
      const scale = w >= 0 ? positive : negative
      store<f32>(y, levelOf(quotientOf(w, scale), scale, book, levels) * scale)
    }
  }
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
  const bytes = (<usize>group) << 2
  for (let index = 0; index < count; index++, negatives += 4, positives += 4) {
    const negative = load<f32>(negatives)
    const positive = load<f32>(positives)
    let above: f64 = 0
    let below: f64 = 0
    for (let at: usize = 0; at < bytes; at += 4) {
      const w = load<f32>(weight + at)
      const d = load<f32>(dy + at)
      const scale = w >= 0 ? positive : negative
      const quotient = quotientOf(w, scale)
      const slope = <f64>(d * (levelOf(quotient, scale, book, levels) - quotient))
      if (w >= 0) above += slope
      else below += slope
      store<f32>(dweight + at, d)
    }
    if (positive > 0) spread(dweight, weight, group, positive, <f32>above)
    if (negative > 0) spread(dweight, weight, group, -negative, <f32>-below)
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
  for (let index = 0; index < count; index++, negatives += 4, positives += 4) {
    for (let i = 0; i < group; i++, weight += 4, codes++) {
      const w = load<f32>(weight)
      const scale = load<f32>(w >= 0 ? positives : negatives)
      store<u8>(codes, <u8>indexOf(quotientOf(w, scale), book, levels))
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
      store<f32>(y, level * load<f32>(level >= 0 ? positives : negatives))
    }
  }
}
