/** Rotary embedding by a table of cosines and sines. */
import { fma } from "./simd"

/**
 * Tokens of `heads` heads of two halves: y1 = x1 cos - x2 sin, y2 = x2 cos + x1 sin; `table` has a token's cosines, then
 * its sines; `direction` 1, or -1 to turn back.
 */
export function rotary(
  _first: i32,
  count: i32,
  x: usize,
  table: usize,
  y: usize,
  heads: i32,
  half: i32,
  direction: f32
): void {
  const bytes = (<usize>half) << 2
  const d = f32x4.splat(direction)
  for (let token = 0; token < count; token++, table += 2 * bytes) {
    for (let head = 0; head < heads; head++, x += 2 * bytes, y += 2 * bytes) {
      let at: usize = 0
      for (; at < (bytes & ~15); at += 16) {
        const cosine = v128.load(table + at)
        const sine = f32x4.mul(v128.load(table + bytes + at), d)
        const x1 = v128.load(x + at)
        const x2 = v128.load(x + bytes + at)
        v128.store(y + at, fma(x1, cosine, f32x4.neg(f32x4.mul(x2, sine))))
        v128.store(y + bytes + at, fma(x2, cosine, f32x4.mul(x1, sine)))
      }
      for (; at < bytes; at += 4) {
        const cosine = load<f32>(table + at)
        const sine = load<f32>(table + bytes + at) * direction
        const x1 = load<f32>(x + at)
        const x2 = load<f32>(x + bytes + at)
        store<f32>(y + at, x1 * cosine - x2 * sine)
        store<f32>(y + bytes + at, x2 * cosine + x1 * sine)
      }
    }
  }
}
