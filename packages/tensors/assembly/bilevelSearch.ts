/**
 * The search of bilevel quantization (docs/method.md, "Bilevel quantizer"): of the 16 scales of its second-level group and
 * all zero points, a group takes those of least squared error. Four zero points are tried at a time, one in each lane.
 */
import { decodeScale, decodeWeight, encodeWeight, smallestDivisor, startOf } from "./bilevel"

/** Squared error of a group on one grid, with every operation rounded to bfloat16. */
function coarseError(w: usize, end: usize, scale: f32, zero: f32, levels: f32): f64 {
  let sum: f64 = 0
  for (; w < end; w += 4) {
    const value = load<f32>(w)
    const error = <f64>(value - decodeWeight(encodeWeight(value, scale, zero, levels, 1), scale, zero, 1))
    sum += error * error
  }
  return sum
}

/** Second-level groups `first` to `first + count`: codes [N, K], scale codes and zero points [K / g, N] as bytes. */
export function bilevelSearch(
  first: i32,
  count: i32,
  weight: usize,
  steps: usize,
  origins: usize,
  codes: usize,
  scales: usize,
  zeros: usize,
  rows: i32,
  columns: i32,
  group: i32,
  scaleGroup: i32,
  levels: f32,
  format: i32,
  coarse: i32
): void {
  const top = f32x4.splat(levels)
  for (let index = first; index < first + count; index++) {
    const step = load<f32>(steps + ((<usize>index) << 2))
    const origin = load<f32>(origins + ((<usize>index) << 2))
    for (let row = index * scaleGroup; row < (index + 1) * scaleGroup; row++) {
      const at = startOf(row, rows, columns, group)
      const begin = weight + (at << 2)
      const end = begin + ((<usize>group) << 2)
      let least: f64 = Infinity
      let scaleCode: f32 = 0
      let zero: f32 = 0
      for (let code: f32 = 0; code < 16; code++) {
        const scale = decodeScale(code, step, origin, format, coarse)
        const s = f32x4.splat(scale)
        const divisor = f32x4.splat(max(scale, smallestDivisor))
        for (let point: f32 = 0; point < levels; point += 4) {
          const points = f32x4.add(f32x4.splat(point), f32x4(0, 1, 2, 3))
          // Errors of the points 0 and 1, 2 and 3 of the four.
          let low = f64x2.splat(0)
          let high = f64x2.splat(0)
          if (coarse) {
            low = f64x2.splat(coarseError(begin, end, scale, point, levels))
            low = f64x2.replace_lane(low, 1, coarseError(begin, end, scale, point + 1, levels))
            high = f64x2.splat(coarseError(begin, end, scale, point + 2, levels))
            high = f64x2.replace_lane(high, 1, coarseError(begin, end, scale, point + 3, levels))
          } else {
            for (let w = begin; w < end; w += 4) {
              const value = v128.load32_splat(w)
              const open = f32x4.nearest(f32x4.add(f32x4.div(value, divisor), points))
              const q = f32x4.pmin(top, f32x4.pmax(f32x4.splat(0), open))
              const error = f32x4.sub(value, f32x4.mul(s, f32x4.sub(q, points)))
              const first = f64x2.promote_low_f32x4(error)
              const second = f64x2.promote_low_f32x4(v128.shuffle<f32>(error, error, 2, 3, 2, 3))
              low = f64x2.add(low, f64x2.mul(first, first))
              high = f64x2.add(high, f64x2.mul(second, second))
            }
          }
          // Of equal errors the first one stays.
          for (let lane = 0; lane < 4; lane++) {
            const error = lane < 2 ? laneOf(low, lane) : laneOf(high, lane - 2)
            if (!(error < least)) continue
            least = error
            scaleCode = code
            zero = point + <f32>lane
          }
        }
      }
      store<u8>(scales + <usize>row, <u8>scaleCode)
      store<u8>(zeros + <usize>row, <u8>zero)
      const scale = decodeScale(scaleCode, step, origin, format, coarse)
      for (let i: usize = 0; i < <usize>group; i++) {
        store<u8>(codes + at + i, <u8>encodeWeight(load<f32>(begin + (i << 2)), scale, zero, levels, coarse))
      }
    }
  }
}

function laneOf(pair: v128, lane: i32): f64 {
  return lane ? f64x2.extract_lane(pair, 1) : f64x2.extract_lane(pair, 0)
}
