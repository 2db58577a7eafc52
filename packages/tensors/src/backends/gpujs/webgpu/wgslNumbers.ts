/** Functions of numbers in WGSL, as those of ../numbers.ts are for GPU.js, to the bit. */

/**
 * exp(x), and NaN for NaN; log(x) of a sum of powers, -infinity for 0, and NaN for NaN. Some GPUs turn these into numbers.
 */
export const exponentials = `
fn power(x: f32) -> f32 {
  if (x < 1e30) { return exp(x); }
  return x;
}
fn logarithm(x: f32) -> f32 {
  if (x > 0.0) { return log(x); }
  return x * 1e38 - (1.0 - x) * 1e38 * 1e38;
}`

/**
 * divided(a, b), the f32 nearest to a / b. `p.one` is 1: a product times it is rounded before it is added, which a GPU would else do
 * in one rounding.
 */
export const division = `
fn divided(a: f32, b: f32) -> f32 {
  let q = a / b;
  let product = (q * b) * p.one;
  let wide_q = (q * 4097.0) * p.one;
  let high_q = wide_q - (wide_q - q);
  let low_q = q - high_q;
  let wide_b = (b * 4097.0) * p.one;
  let high_b = wide_b - (wide_b - b);
  let low_b = b - high_b;
  let lost = high_q * high_b - product + high_q * low_b + low_q * high_b + low_q * low_b;
  let corrected = q + (a - product - lost) / b;
  if (corrected >= 0.0 || corrected < 0.0) { return corrected; }
  return q; // infinite, or not a number
}`

/**
 * What quantizers compute with: division, and roundings to bfloat16, to half and, where `p.bf16` is 1, of every operation. WGSL's
 * round takes ties to even.
 */
export const roundings = `${division}
fn roundBfloat16(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return x; }
  return bitcast<f32>((bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u);
}
fn roundFloat16(x: f32) -> f32 {
  let size = abs(x);
  var rounded_size = round(size * 16777216.0) * 5.9604644775390625e-8; // multiples of 2^-24
  if (size >= 0.00006103515625) {
    let bits = bitcast<u32>(size);
    rounded_size = bitcast<f32>((bits + 0xfffu + ((bits >> 13u) & 1u)) & 0xffffe000u);
  }
  if (size >= 65520.0) { rounded_size = size * 1e38 * 1e38; }
  if (x < 0.0) { return -rounded_size; }
  return rounded_size;
}
fn rounded(x: f32) -> f32 {
  if (p.bf16 == 1u) { return roundBfloat16(x); }
  return x;
}`
