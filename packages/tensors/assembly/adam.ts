/** One step of Adam or AdamW in place, in the order of operations of PyTorch; no fused multiply-add. */
import { loadPart, storePart } from "./simd"

const smallestMean: f32 = 1e-30

/**
 * b m + (1 - b) g, 0 below 1e-30: without gradients a mean shrinks into the subnormal numbers and stays there, where each
 * product takes the processor a hundred times as long; a parameter is not moved by either.
 */
export function meanOf(m: v128, g: v128, beta: v128, rest: v128): v128 {
  const mean = f32x4.add(f32x4.mul(m, beta), f32x4.mul(g, rest))
  return v128.andnot(mean, f32x4.lt(f32x4.abs(mean), f32x4.splat(smallestMean)))
}

/** b v + (1 - b) g g */
export function meanSquareOf(v: v128, g: v128, beta: v128, rest: v128): v128 {
  return f32x4.add(f32x4.mul(v, beta), f32x4.mul(f32x4.mul(rest, g), g))
}

/** p - stepSize m / (sqrt(v) / correction + epsilon) */
export function moved(p: v128, m: v128, v: v128, stepSize: v128, correction: v128, epsilon: v128): v128 {
  const root = f32x4.add(f32x4.div(f32x4.sqrt(v), correction), epsilon)
  return f32x4.sub(p, f32x4.div(f32x4.mul(stepSize, m), root))
}

/**
 * g = factor gradient (+ coupled p); m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g g;
 * p = shrink p - stepSize m / (sqrt(v) / correction + epsilon). A negative factor leaves all as it is.
 */
export function adamStep(
  _first: i32,
  count: i32,
  p: usize,
  m: usize,
  v: usize,
  gradient: usize,
  factor: usize,
  beta1: f32,
  restOfBeta1: f32,
  beta2: f32,
  restOfBeta2: f32,
  shrink: f32,
  coupled: f32,
  stepSize: f32,
  correction: f32,
  epsilon: f32
): void {
  const scale = f32x4.splat(factor ? load<f32>(factor) : 1)
  if (f32x4.extract_lane(scale, 0) < 0) return
  for (let i = 0; i < count; i += 4, p += 16, m += 16, v += 16, gradient += 16) {
    const rest = count - i
    const whole = rest >= 4
    let x = whole ? v128.load(p) : loadPart(p, rest)
    let m1 = whole ? v128.load(m) : loadPart(m, rest)
    let v1 = whole ? v128.load(v) : loadPart(v, rest)
    let g = f32x4.mul(whole ? v128.load(gradient) : loadPart(gradient, rest), scale)
    if (coupled !== 0) g = f32x4.add(g, f32x4.mul(f32x4.splat(coupled), x))
    m1 = meanOf(m1, g, f32x4.splat(beta1), f32x4.splat(restOfBeta1))
    v1 = meanSquareOf(v1, g, f32x4.splat(beta2), f32x4.splat(restOfBeta2))
    x = f32x4.mul(x, f32x4.splat(shrink))
    x = moved(x, m1, v1, f32x4.splat(stepSize), f32x4.splat(correction), f32x4.splat(epsilon))
    if (whole) {
      v128.store(p, x)
      v128.store(m, m1)
      v128.store(v, v1)
    } else {
      storePart(p, x, rest)
      storePart(m, m1, rest)
      storePart(v, v1, rest)
    }
  }
}
