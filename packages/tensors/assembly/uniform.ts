/**
 * Single-level group quantization (internvl3.md 6.1, 6.4, 6.7, 6.8) in f32, every operation rounded by itself.
 * Weights [N, K] in groups of consecutive columns, so [N K / g] groups one after the other; entries run over groups.
 */

/** Kinds of rounding: of the sum with the zero point; of the quotient, halves to even; of the quotient, halves away. */
const roundSum = 0
const roundNearest = 1

const smallestRange: f32 = 1e-5
const smallestDivisor: f32 = 1e-9

function roundHalfAway(x: f32): f32 {
  const whole = floor(abs(x) + <f32>0.5)
  return x < 0 ? -whole : whole
}

/** Code of a weight before it is clamped. */
function openCode(w: f32, scale: f32, zero: f32, rounding: i32): f32 {
  if (rounding === roundSum) return nearest(w / max(scale, smallestDivisor) + zero)
  const steps = w / scale
  return (rounding === roundNearest ? nearest(steps) : roundHalfAway(steps)) + zero
}

function clamp(x: f32, most: f32): f32 {
  return min(max(x, <f32>0), most)
}

function smallest(w: usize, count: i32): f32 {
  let low: f32 = Infinity
  for (let i = 0; i < count; i++) low = min(low, load<f32>(w + ((<usize>i) << 2)))
  return low
}

function largest(w: usize, count: i32): f32 {
  let high: f32 = -Infinity
  for (let i = 0; i < count; i++) high = max(high, load<f32>(w + ((<usize>i) << 2)))
  return high
}

export function uniformGroups(
  _first: i32,
  count: i32,
  weight: usize,
  y: usize,
  scales: usize,
  zeros: usize,
  group: i32,
  levels: f32,
  symmetric: i32,
  rounding: i32,
  roundZero: i32
): void {
  for (let index = 0; index < count; index++, scales += 4, zeros += 4) {
    let low = smallest(weight, group)
    let high = largest(weight, group)
    if (symmetric) {
      high = max(abs(low), high)
      low = -high
    }
    if (rounding === roundSum && low === high) {
      low = -1
      high = 1
    }
    // SPEED-Q bounds the scale, the flat quantizers bound the range.
    const scale =
      rounding === roundSum ? max((high - low) / levels, smallestRange) : max(high - low, smallestRange) / levels
    let zero = (levels - 1) / 2
    if (!symmetric) {
      zero = -low / scale
      if (roundZero) zero = clamp(nearest(zero), levels)
    }
    store<f32>(scales, scale)
    store<f32>(zeros, zero)
    for (let i = 0; i < group; i++, weight += 4, y += 4) {
      store<f32>(y, scale * (clamp(openCode(load<f32>(weight), scale, zero, rounding), levels) - zero))
    }
  }
}

/** Adds `gradient` to the entries of a group that equal its extreme, in equal parts. */
export function spread(target: usize, w: usize, group: i32, extreme: f32, gradient: f32): void {
  let equal: f32 = 0
  for (let i = 0; i < group; i++) if (load<f32>(w + ((<usize>i) << 2)) === extreme) equal += 1
  const share = gradient / equal
  for (let i = 0; i < group; i++) {
    const at = target + ((<usize>i) << 2)
    if (load<f32>(w + ((<usize>i) << 2)) === extreme) store<f32>(at, load<f32>(at) + share)
  }
}

/** dweight = dy inside of the range, 0 outside; with `range`, the gradient of the scale too, given to the extremes. */
export function uniformGradient(
  _first: i32,
  count: i32,
  dy: usize,
  weight: usize,
  scales: usize,
  zeros: usize,
  dweight: usize,
  group: i32,
  levels: f32,
  symmetric: i32,
  rounding: i32,
  range: i32
): void {
  const bytes = (<usize>group) << 2
  for (let index = 0; index < count; index++, scales += 4, zeros += 4, dy += bytes, weight += bytes, dweight += bytes) {
    const scale = load<f32>(scales)
    const zero = load<f32>(zeros)
    const from = -(scale * zero)
    const to = scale * (levels - zero)
    let slope: f64 = 0
    for (let at: usize = 0; at < bytes; at += 4) {
      const w = load<f32>(weight + at)
      const d = load<f32>(dy + at)
      const code = openCode(w, scale, zero, rounding)
      const inside = range ? code >= 0 && code <= levels : w >= from && w <= to
      store<f32>(dweight + at, inside ? d : 0)
      if (range) slope += <f64>(d * (clamp(code, levels) - zero - (inside ? w / scale : 0)))
    }
    if (!range) continue
    const share = <f32>(slope / <f64>levels)
    const low = smallest(weight, group)
    const high = largest(weight, group)
    if (symmetric) {
      // The range is twice the largest magnitude, whichever end has it.
      const top = abs(low) > high ? low : high
      if (abs(top) + abs(top) >= smallestRange) spread(dweight, weight, group, top, <f32>2 * (top < 0 ? -share : share))
    } else if (high - low >= smallestRange) {
      spread(dweight, weight, group, high, share)
      spread(dweight, weight, group, low, -share)
    }
  }
}

/** code = clamp(rne(w / scale + zero), 0, levels) as bytes. */
export function gridCodes(
  _first: i32,
  count: i32,
  weight: usize,
  scales: usize,
  zeros: usize,
  codes: usize,
  group: i32,
  levels: f32
): void {
  for (let index = 0; index < count; index++, scales += 4, zeros += 4) {
    const scale = load<f32>(scales)
    const zero = load<f32>(zeros)
    for (let i = 0; i < group; i++, weight += 4, codes++) {
      store<u8>(codes, <u8>clamp(nearest(load<f32>(weight) / scale + zero), levels))
    }
  }
}

/** y = scale (code - zero) */
export function gridDecode(
  _first: i32,
  count: i32,
  codes: usize,
  scales: usize,
  zeros: usize,
  y: usize,
  group: i32
): void {
  for (let index = 0; index < count; index++, scales += 4, zeros += 4) {
    const scale = load<f32>(scales)
    const zero = load<f32>(zeros)
    for (let i = 0; i < group; i++, codes++, y += 4) store<f32>(y, scale * (<f32>load<u8>(codes) - zero))
  }
}

/** y = w clamped to the range of its group */
export function clampGroups(
  _first: i32,
  count: i32,
  weight: usize,
  low: usize,
  high: usize,
  y: usize,
  group: i32
): void {
  for (let index = 0; index < count; index++, low += 4, high += 4) {
    const from = load<f32>(low)
    const to = load<f32>(high)
    for (let i = 0; i < group; i++, weight += 4, y += 4) store<f32>(y, min(max(load<f32>(weight), from), to))
  }
}

/** Codes `first` to `first + count` of a little-endian stream of `bits` bits each, in `bytes` bytes. */
export function unpackCodes(first: i32, count: i32, packed: usize, codes: usize, bits: i32, bytes: i32): void {
  const mask = (1 << bits) - 1
  for (let i = 0; i < count; i++) {
    const bit = <u64>(first + i) * <u64>bits
    const at = <usize>(bit >> 3)
    let pair = <u32>load<u8>(packed + at)
    if (at + 1 < <usize>bytes) pair |= (<u32>load<u8>(packed + at + 1)) << 8
    store<u8>(codes + <usize>i, <u8>((pair >> <u32>(bit & 7)) & mask))
  }
}
