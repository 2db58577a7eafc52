/** Moving and widening storage. Row entries take (first row, number of rows, pointers to the first row, scalars). */

/** Zeros `count` bytes. */
export function clear(_first: i32, count: i32, y: usize): void {
  memory.fill(y, 0, <usize>count)
}

/** Copies rows of `bytes` bytes. */
export function copyRows(_first: i32, count: i32, x: usize, y: usize, bytes: i32): void {
  memory.copy(y, x, <usize>count * <usize>bytes)
}

/**
 * Reads rows of `bytes` bytes and keeps only which bits were set: as fast as memory can be read, so that what reads it for
 * a purpose can be compared. An eighth of the rows apart, as dotRows does it; `bytes` in whole lanes.
 */
export function readRows(_first: i32, count: i32, x: usize, bytes: i32): i32 {
  const apart = ((<usize>count * <usize>bytes) >> 3) & ~15
  let bits = i32x4.splat(0)
  let more = bits
  const end = x + apart
  while (x < end) {
    bits = v128.or(bits, v128.load(x))
    more = v128.or(more, v128.load(x + apart))
    bits = v128.or(bits, v128.load(x + 2 * apart))
    more = v128.or(more, v128.load(x + 3 * apart))
    bits = v128.or(bits, v128.load(x + 4 * apart))
    more = v128.or(more, v128.load(x + 5 * apart))
    bits = v128.or(bits, v128.load(x + 6 * apart))
    more = v128.or(more, v128.load(x + 7 * apart))
    x += 16
  }
  return v128.any_true(v128.or(bits, more)) ? 1 : 0
}

/** Zeros a block of rows `stride` floats apart. */
export function clearRows(rows: i32, columns: i32, y: usize, stride: i32): void {
  for (let row = 0; row < rows; row++) memory.fill(y + <usize>row * <usize>stride * 4, 0, <usize>columns * 4)
}

/** Fills rows `stride` floats apart with one row. */
export function fillRows(rows: i32, columns: i32, x: usize, y: usize, stride: i32): void {
  for (let row = 0; row < rows; row++) memory.copy(y + <usize>row * <usize>stride * 4, x, <usize>columns * 4)
}

/** y = x + bias for rows x `from` floats apart and y `stride` apart; without a bias (0) y = x. */
export function storeRows(rows: i32, columns: i32, x: usize, from: i32, bias: usize, y: usize, stride: i32): void {
  const bytes = <usize>columns * 4
  const lanes = bytes & ~15
  for (let row = 0; row < rows; row++) {
    if (bias === 0) memory.copy(y, x, bytes)
    else {
      for (let i: usize = 0; i < lanes; i += 16) v128.store(y + i, f32x4.add(v128.load(x + i), v128.load(bias + i)))
      for (let i = lanes; i < bytes; i += 4) store<f32>(y + i, load<f32>(x + i) + load<f32>(bias + i))
    }
    x += <usize>from * 4
    y += <usize>stride * 4
  }
}

/** The four numbers that 16-bit patterns at `p` mean: bfloat16 is the upper half of an f32. */
export function loadBfloat16(p: usize): v128 {
  return i32x4.shl(v128.load16x4_u(p), 16)
}

/** Patterns for widening halves: sign and magnitude in place; 2^112; the greatest exponent of halves, and of floats. */
const halves = memory.data<u32>([0x8fffe000, 0x77800000, 0x0f800000, 0x7f800000])

/**
 * The four numbers that half patterns at `p` mean: sign, exponent and fraction moved into place and multiplied by 2^112,
 * which rebases normal and subnormal halves alike; infinity and NaN get the largest exponent again.
 */
export function loadFloat16(p: usize): v128 {
  const most = v128.load32_splat(halves, 8)
  const x = v128.and(i32x4.shl(v128.load16x4_s(p), 13), v128.load32_splat(halves))
  const special = i32x4.eq(v128.and(x, most), most)
  return v128.or(f32x4.mul(x, v128.load32_splat(halves, 4)), v128.and(special, v128.load32_splat(halves, 12)))
}

/** One weight. */
export function weight(p: usize, i: i32, type: i32): f32 {
  if (type === 0) return load<f32>(p + ((<usize>i) << 2))
  const pattern = <u32>load<u16>(p + ((<usize>i) << 1))
  if (type === 1) return reinterpret<f32>(pattern << 16)
  const magnitude = (pattern & 0x7fff) << 13
  const finite = reinterpret<u32>(reinterpret<f32>(magnitude) * reinterpret<f32>(0x77800000))
  const exponent: u32 = magnitude >= 0x0f800000 ? 0x7f800000 : 0
  return reinterpret<f32>(finite | exponent | ((pattern & 0x8000) << 16))
}

/** Widens a block of rows of 16-bit patterns, `strideX` and `strideY` elements apart. */
export function widenRows(rows: i32, columns: i32, x: usize, strideX: i32, y: usize, strideY: i32, type: i32): void {
  for (let row = 0; row < rows; row++) {
    widen(0, columns, x + ((<usize>row * <usize>strideX) << 1), y + ((<usize>row * <usize>strideY) << 2), type)
  }
}

/** Widens `count` patterns. */
export function widen(_first: i32, count: i32, x: usize, y: usize, type: i32): void {
  const whole = count & ~3
  if (type === 1) {
    for (let i = 0; i < whole; i += 4) v128.store(y + ((<usize>i) << 2), loadBfloat16(x + ((<usize>i) << 1)))
  } else {
    for (let i = 0; i < whole; i += 4) v128.store(y + ((<usize>i) << 2), loadFloat16(x + ((<usize>i) << 1)))
  }
  for (let i = whole; i < count; i++) store<f32>(y + ((<usize>i) << 2), weight(x, i, type))
}

/** Four bytes as whole numbers. */
export function loadBytes(p: usize): v128 {
  return i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(p)))
}

/** Stores four whole numbers from 0 to 255, held as f32, as bytes. */
export function storeBytes(p: usize, x: v128): void {
  // Past 2^23 the last bits of an f32 are those of the whole number.
  const bytes = f32x4.add(x, f32x4.splat(8388608.0))
  v128.store32_lane(p, v128.swizzle(bytes, i8x16(0, 4, 8, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)), 0)
}
