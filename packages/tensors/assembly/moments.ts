/** Moments of an optimizer in 16 and 8 bits. */

/** y = x as bfloat16, its magnitude rounded up where the lower bits and the threshold of the element carry over. */
export function castDithered(first: i32, count: i32, x: usize, y: usize, turn: i32): void {
  for (let i = 0; i < count; i++, x += 4, y += 2) {
    const bits = load<u32>(x)
    const size = bits & 0x7fffffff
    const sign = bits & 0x80000000
    let pattern: u32 = 0
    if (size > 0x7f800000) pattern = (bits >> 16) | 0x40
    else if (size >= 0x800000) {
      const threshold = <u32>((turn + 27145 * ((first + i) & 255)) & 0xffff)
      pattern = (sign | (size === 0x7f800000 ? size : size + threshold)) >> 16
    }
    store<u16>(y, <u16>pattern)
  }
}

const block: i32 = 256

/**
 * scale = the largest magnitude of a block, code = how many thresholds x / scale has reached: the lowest code of its upper 16 bits, and
 * one more beyond the threshold after that. `table` has 256 thresholds, then a byte for each pattern of the upper bits.
 */
export function dynamicCodes(
  first: i32,
  count: i32,
  x: usize,
  codes: usize,
  scales: usize,
  table: usize,
  signed: i32
): void {
  scales += (<usize>(first / block)) << 2
  const lowest = table + 1024
  for (let start = 0; start < count; start += block, scales += 4) {
    const length = min(block, count - start)
    let scale: f32 = 0
    for (let i = 0; i < length; i++) scale = max(scale, abs(load<f32>(x + ((<usize>i) << 2))))
    store<f32>(scales, scale)
    for (let i = 0; i < length; i++, x += 4, codes++) {
      const quotient: f32 = scale > 0 ? load<f32>(x) / scale : 0
      let code = <i32>load<u8>(lowest + <usize>(reinterpret<u32>(quotient) >> 16))
      if (quotient >= load<f32>(table + ((<usize>code) << 2))) code++
      if (signed === 0 && quotient > 0 && code === 0) code = 1
      store<u8>(codes, <u8>code)
    }
  }
}

/** y = scale level(code) */
export function dynamicValues(first: i32, count: i32, codes: usize, scales: usize, levels: usize, y: usize): void {
  for (let i = 0; i < count; i++, codes++, y += 4) {
    const scale = load<f32>(scales + ((<usize>((first + i) / block)) << 2))
    store<f32>(y, scale * load<f32>(levels + ((<usize>load<u8>(codes)) << 2)))
  }
}
