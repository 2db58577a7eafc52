/**
 * One step of AdaRound in place: gradient by alpha, rounding penalty and Adam in one pass over alpha, m and v. With
 * d = 1 / (1 + e^-|alpha|) and r = range (2 d - 1), |2 h - 1| is min(r, 1) and
 * dh/dalpha = range d (1 - d) = range / 4 - r^2 / (4 range).
 */
import { meanOf, meanSquareOf, moved } from "./adam"
import { range, steps } from "./adaround"
import { powerOfShare, signOf, upperSigmoid } from "./math"
import { addDoubles } from "./reductions"
import { fma, loadPart, storePart } from "./simd"

/**
 * Elements that take the three parts of the work one after the other, from the cache: in one loop they are a chain so long
 * that the processor cannot overlap its rounds. Few enough that memory is read ahead during the second part too.
 */
const block = 128
/** Bytes of an array in scratch, with room for the last vector of a block. */
const stride: usize = 4 * block + 64
/** Arrays in scratch after that of the gradients by h: |2 h - 1|, then its power with the factor of the penalty; dh/dalpha. */
const sizes = stride
const slopes = 2 * stride
const tail = 3 * stride

/** Four elements of a group whose codes may move while low <= floor(w / scale) < high. */
function prepare(scratch: usize, alpha: v128, w: v128, dy: v128, scale: v128, low: v128, high: v128): void {
  const down = steps(w, scale)
  const inside = v128.and(f32x4.le(low, down), f32x4.lt(down, high))
  v128.store(scratch, v128.and(f32x4.mul(dy, scale), inside))
  const r = fma(upperSigmoid(alpha), f32x4.splat(2 * range), f32x4.splat(-range))
  const slope = fma(f32x4.mul(r, r), f32x4.splat(-1 / (4 * range)), f32x4.splat(range / 4))
  v128.store(scratch + slopes, v128.and(slope, f32x4.lt(r, f32x4.splat(1))))
  v128.store(scratch + sizes, f32x4.pmin(r, f32x4.splat(1)))
}

/** Prepares `count` elements of one group. */
function prepareRun(
  scratch: usize,
  count: i32,
  alpha: usize,
  weight: usize,
  dy: usize,
  scale: v128,
  low: v128,
  high: v128
): void {
  const end = scratch + ((<usize>(count & ~3)) << 2)
  for (; scratch < end; scratch += 16, alpha += 16, weight += 16, dy += 16) {
    prepare(scratch, v128.load(alpha), v128.load(weight), v128.load(dy), scale, low, high)
  }
  const rest = count & 3
  if (rest) prepare(scratch, loadPart(alpha, rest), loadPart(weight, rest), loadPart(dy, rest), scale, low, high)
}

/** factor |2 h - 1|^exponent of `bytes` bytes in place of |2 h - 1|; returns the sum of 1 - |2 h - 1|^(exponent + 1). */
function penalize(sizes: usize, bytes: usize, exponent: v128, factor: v128): v128 {
  let sum = f32x4.splat(0)
  const end = sizes + bytes
  for (; sizes < end; sizes += 16) {
    const size = v128.load(sizes)
    const power = powerOfShare(size, exponent)
    sum = f32x4.add(sum, f32x4.sub(f32x4.splat(1), f32x4.mul(size, power)))
    v128.store(sizes, f32x4.mul(factor, power))
  }
  return sum
}

/** Adam on `bytes` bytes, whole vectors. */
function advance(
  scratch: usize,
  bytes: usize,
  alpha: usize,
  m: usize,
  v: usize,
  penalized: i32,
  beta1: f32,
  restOfBeta1: f32,
  beta2: f32,
  restOfBeta2: f32,
  stepSize: f32,
  correction: f32,
  epsilon: f32
): void {
  const end = scratch + bytes
  for (; scratch < end; scratch += 16, alpha += 16, m += 16, v += 16) {
    const x = v128.load(alpha)
    let g = v128.load(scratch)
    if (penalized) g = f32x4.sub(g, v128.xor(v128.load(scratch + sizes), signOf(x)))
    g = f32x4.mul(g, v128.load(scratch + slopes))
    const mean = meanOf(v128.load(m), g, f32x4.splat(beta1), f32x4.splat(restOfBeta1))
    const square = meanSquareOf(v128.load(v), g, f32x4.splat(beta2), f32x4.splat(restOfBeta2))
    v128.store(m, mean)
    v128.store(v, square)
    v128.store(alpha, moved(x, mean, square, f32x4.splat(stepSize), f32x4.splat(correction), f32x4.splat(epsilon)))
  }
}

/**
 * dalpha = dh/dalpha (dy scale - sign(alpha) steepness |2 h - 1|^exponent), dy only where the code may move; then a step of
 * Adam with it. total += sum of 1 - |2 h - 1|^(exponent + 1). A steepness of 0 leaves the powers out.
 */
export function adaroundStep(
  _first: i32,
  count: i32,
  scratch: usize,
  alpha: usize,
  m: usize,
  v: usize,
  dy: usize,
  weight: usize,
  scales: usize,
  zeros: usize,
  total: usize,
  group: i32,
  levels: f32,
  steepness: f32,
  exponent: f32,
  beta1: f32,
  restOfBeta1: f32,
  beta2: f32,
  restOfBeta2: f32,
  stepSize: f32,
  correction: f32,
  epsilon: f32
): void {
  const penalized = <i32>(steepness !== 0)
  let sum = f64x2.splat(0)
  let used = 0
  for (let left = count * group; left > 0; left -= block) {
    const some = min(block, left)
    for (let at = 0; at < some; ) {
      const run = min(group - used, some - at)
      const start = (<usize>at) << 2
      const scale = v128.load32_splat(scales)
      const low = f32x4.neg(v128.load32_splat(zeros))
      const high = f32x4.add(low, f32x4.splat(levels))
      prepareRun(scratch + start, run, alpha + start, weight + start, dy + start, scale, low, high)
      at += run
      used += run
      if (used === group) {
        used = 0
        scales += 4
        zeros += 4
      }
    }
    const bytes = (<usize>some) << 2
    if (penalized) {
      // The last vector of a block may go beyond it: 1 has no penalty.
      v128.store(scratch + sizes + bytes, f32x4.splat(1))
      sum = addDoubles(sum, penalize(scratch + sizes, bytes, f32x4.splat(exponent), f32x4.splat(steepness)))
    }
    const whole = bytes & ~15
    advance(
      scratch,
      whole,
      alpha,
      m,
      v,
      penalized,
      beta1,
      restOfBeta1,
      beta2,
      restOfBeta2,
      stepSize,
      correction,
      epsilon
    )
    alpha += whole
    m += whole
    v += whole
    const rest = some & 3
    if (rest) {
      const p = scratch + tail
      v128.store(p, loadPart(alpha, rest))
      v128.store(p + 16, loadPart(m, rest))
      v128.store(p + 32, loadPart(v, rest))
      advance(
        scratch + whole,
        16,
        p,
        p + 16,
        p + 32,
        penalized,
        beta1,
        restOfBeta1,
        beta2,
        restOfBeta2,
        stepSize,
        correction,
        epsilon
      )
      storePart(alpha, v128.load(p), rest)
      storePart(m, v128.load(p + 16), rest)
      storePart(v, v128.load(p + 32), rest)
    }
    dy += bytes
    weight += bytes
  }
  store<f64>(total, load<f64>(total) + (f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1)))
}
