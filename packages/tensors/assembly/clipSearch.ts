/** The asymmetric clipping search (internvl3.md 6.8): 100 ranges a group, each scored by a quadratic form. */
import { fma, sumLanes } from "./simd"

/** w clipped to [low, high] and quantized to nearest, less w; each operation in f32. */
function errorOf(w: f32, low: f32, high: f32, scale: f32, zero: f32, levels: f32): f32 {
  const clipped = min(max(w, low), high)
  const code = min(max(nearest(clipped / scale) + zero, <f32>0), levels)
  return (code - zero) * scale - w
}

/** d^T gram d; d is filled up with zeros to `wide`, a multiple of 4. */
function quadraticForm(gram: usize, d: usize, group: i32): f32 {
  const whole = group & ~3
  let total: f32 = 0
  for (let a = 0; a < group; a++, gram += (<usize>group) << 2) {
    let line = f32x4.splat(0)
    let b = 0
    for (; b < whole; b += 4) {
      line = fma(v128.load(gram + ((<usize>b) << 2)), v128.load(d + ((<usize>b) << 2)), line)
    }
    let sum = sumLanes(line)
    for (; b < group; b++) sum += load<f32>(gram + ((<usize>b) << 2)) * load<f32>(d + ((<usize>b) << 2))
    total += load<f32>(d + ((<usize>a) << 2)) * sum
  }
  return total
}

/** Rows of a weight [N, K] against gram [K / g, g, g]; `scratch` takes the errors of one group. */
export function clipSearch(
  _first: i32,
  count: i32,
  scratch: usize,
  weight: usize,
  grams: usize,
  highs: usize,
  lows: usize,
  errors: usize,
  unclipped: usize,
  groups: i32,
  group: i32,
  levels: f32,
  steps: i32,
  candidates: i32
): void {
  const bytes = (<usize>group) << 2
  for (let row = 0; row < count; row++) {
    let gram = grams
    for (let j = 0; j < groups; j++, weight += bytes, gram += bytes * <usize>group) {
      let low: f32 = Infinity
      let high: f32 = -Infinity
      for (let at: usize = 0; at < bytes; at += 4) {
        low = min(low, load<f32>(weight + at))
        high = max(high, load<f32>(weight + at))
      }
      let best: f32 = Infinity
      for (let p = 0; p < candidates; p++) {
        const shrunkHigh = high * <f32>(1 - <f64>p / <f64>steps)
        for (let n = 0; n < candidates; n++) {
          const shrunkLow = low * <f32>(1 - <f64>n / <f64>steps)
          const scale = max(shrunkHigh - shrunkLow, <f32>1e-5) / levels
          const zero = min(max(-nearest(shrunkLow / scale), <f32>0), levels)
          for (let at: usize = 0; at < bytes; at += 4) {
            store<f32>(scratch + at, errorOf(load<f32>(weight + at), shrunkLow, shrunkHigh, scale, zero, levels))
          }
          const error = quadraticForm(gram, scratch, group)
          if (p === 0 && n === 0) store<f32>(unclipped, error)
          if (error < best) {
            best = error
            store<f32>(highs, shrunkHigh)
            store<f32>(lows, shrunkLow)
          }
        }
      }
      store<f32>(errors, best)
      highs += 4
      lows += 4
      errors += 4
      unclipped += 4
    }
  }
}
