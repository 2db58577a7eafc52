/**
 * Losses over rows of logits [R, V]: a row is read for its maximum, for its sums, and for its gradient, and never written
 * elsewhere.
 * Sums are formed in f32 over runs of 1024 logits and added up in double precision.
 */
import { expNegative } from "./math"
import { loadPart, storePart, sumLanes } from "./simd"
import { rowMax } from "./softmax"

const run = 1024

/** Sum of the first `count` lanes. */
function sumSome(v: v128, count: i32): f32 {
  let sum = f32x4.extract_lane(v, 0)
  if (count > 1) sum += f32x4.extract_lane(v, 1)
  if (count > 2) sum += f32x4.extract_lane(v, 2)
  return sum
}

/** Sum of the numbers that `sumExp` has read last. */
let sumRead: f64 = 0

/** Sum of exp(x - shift). */
function sumExp(x: usize, count: i32, shift: f32): f64 {
  const s = f32x4.splat(shift)
  let total: f64 = 0
  let totalRead: f64 = 0
  let i = 0
  while (i + 4 <= count) {
    const end = min(i + run, count & ~3)
    let sum = f32x4.splat(0)
    let read = sum
    for (; i < end; i += 4, x += 16) {
      const v = v128.load(x)
      read = f32x4.add(read, v)
      sum = f32x4.add(sum, expNegative(f32x4.sub(v, s)))
    }
    total += <f64>sumLanes(sum)
    totalRead += <f64>sumLanes(read)
  }
  const rest = count - i
  if (rest) {
    const v = loadPart(x, rest)
    total += <f64>sumSome(expNegative(f32x4.sub(v, s)), rest)
    totalRead += <f64>sumSome(v, rest)
  }
  sumRead = totalRead
  return total
}

/** Whether a row has weight 0: it is not looked at, for 0 times infinity would be NaN. */
function uncounted(weights: usize, at: usize): bool {
  return weights !== 0 && load<f32>(weights + at) === 0
}

/** confidence = 1 / sum of exp(x - max) */
export function confidenceRows(_first: i32, count: i32, logits: usize, confidence: usize, vocabulary: i32): void {
  for (let row = 0; row < count; row++, logits += (<usize>vocabulary) << 2, confidence += 4) {
    store<f32>(confidence, <f32>(1 / sumExp(logits, vocabulary, rowMax(logits, vocabulary))))
  }
}

/**
 * loss = (1 - s) (logSumExp - x[label]) + s (logSumExp - mean(x)); gradient += weight (p - (1 - s) [label] - s / V)
 * when there is one. Rows of label `ignored` or weight 0 have loss 0 and gradient 0.
 */
export function crossEntropyRows(
  _first: i32,
  count: i32,
  logits: usize,
  labels: usize,
  weights: usize,
  gradient: usize,
  loss: usize,
  vocabulary: i32,
  ignored: i32,
  smoothing: f64
): void {
  const rowBytes = (<usize>vocabulary) << 2
  for (let row = 0; row < count; row++, logits += rowBytes, loss += 4) {
    const at = (<usize>row) << 2
    const label = load<i32>(labels + at)
    if (label === ignored || uncounted(weights, at)) {
      store<f32>(loss, 0)
      continue
    }
    const most = rowMax(logits, vocabulary)
    const sum = sumExp(logits, vocabulary, most)
    const normalizer = <f64>most + Math.log(sum)
    let value = (1 - smoothing) * (normalizer - <f64>load<f32>(logits + ((<usize>label) << 2)))
    // Without smoothing the mean does not count: a logit of -infinity is a legal "never".
    if (smoothing > 0) value += smoothing * (normalizer - sumRead / <f64>vocabulary)
    store<f32>(loss, <f32>value)
    if (gradient) {
      const weight = <f64>load<f32>(weights + at)
      const target = gradient + <usize>row * rowBytes
      addProbabilities(
        logits,
        target,
        vocabulary,
        most,
        <f32>(weight / sum),
        <f32>((weight * smoothing) / <f64>vocabulary)
      )
      const own = target + ((<usize>label) << 2)
      store<f32>(own, load<f32>(own) - <f32>(weight * (1 - smoothing)))
    }
  }
}

/** y += factor exp(x - shift) - rest */
function addProbabilities(x: usize, y: usize, count: i32, shift: f32, factor: f32, rest: f32): void {
  const s = f32x4.splat(shift)
  const f = f32x4.splat(factor)
  const r = f32x4.splat(rest)
  const end = y + ((<usize>(count & ~3)) << 2)
  for (; y < end; y += 16, x += 16) {
    const p = f32x4.mul(expNegative(f32x4.sub(v128.load(x), s)), f)
    v128.store(y, f32x4.add(v128.load(y), f32x4.sub(p, r)))
  }
  const last = count & 3
  if (last) {
    const p = f32x4.mul(expNegative(f32x4.sub(loadPart(x, last), s)), f)
    storePart(y, f32x4.add(loadPart(y, last), f32x4.sub(p, r)), last)
  }
}

/**
 * With s and t the logits over T less their largest, d = t - s, Zs and Zt the sums of their exponentials and
 * c = ln Zt - ln Zs: forward = sum(e^t d) / Zt - c, reverse = c - sum(e^s d) / Zs,
 * gradient += weight / T ((1 - beta) (ps - pt) + beta ps (c - d - reverse)) when there is one. Rows of weight 0 give 0.
 */
export function klRows(
  _first: i32,
  count: i32,
  student: usize,
  teacher: usize,
  weights: usize,
  gradient: usize,
  forward: usize,
  reverse: usize,
  vocabulary: i32,
  beta: f64,
  temperature: f64
): void {
  const rowBytes = (<usize>vocabulary) << 2
  const inverse = <f32>(1 / temperature)
  const f = f32x4.splat(inverse)
  for (let row = 0; row < count; row++, student += rowBytes, teacher += rowBytes) {
    const at = (<usize>row) << 2
    if (uncounted(weights, at)) {
      store<f32>(forward + at, 0)
      store<f32>(reverse + at, 0)
      continue
    }
    const mostS = rowMax(student, vocabulary)
    const mostT = rowMax(teacher, vocabulary)
    const ms = f32x4.splat(mostS)
    const mt = f32x4.splat(mostT)
    let totalS: f64 = 0
    let totalT: f64 = 0
    let totalSD: f64 = 0
    let totalTD: f64 = 0
    let i = 0
    while (i < vocabulary) {
      const end = min(i + run, vocabulary & ~3)
      let sumS = f32x4.splat(0)
      let sumT = sumS
      let sumSD = sumS
      let sumTD = sumS
      for (; i < end; i += 4) {
        const s = f32x4.mul(f32x4.sub(v128.load(student + ((<usize>i) << 2)), ms), f)
        const t = f32x4.mul(f32x4.sub(v128.load(teacher + ((<usize>i) << 2)), mt), f)
        const d = f32x4.sub(t, s)
        const es = expNegative(s)
        const et = expNegative(t)
        sumS = f32x4.add(sumS, es)
        sumT = f32x4.add(sumT, et)
        sumSD = f32x4.add(sumSD, f32x4.mul(es, d))
        sumTD = f32x4.add(sumTD, f32x4.mul(et, d))
      }
      totalS += <f64>sumLanes(sumS)
      totalT += <f64>sumLanes(sumT)
      totalSD += <f64>sumLanes(sumSD)
      totalTD += <f64>sumLanes(sumTD)
      const rest = vocabulary - i
      if (rest < 4) {
        if (rest > 0) {
          const s = f32x4.mul(f32x4.sub(loadPart(student + ((<usize>i) << 2), rest), ms), f)
          const t = f32x4.mul(f32x4.sub(loadPart(teacher + ((<usize>i) << 2), rest), mt), f)
          const d = f32x4.sub(t, s)
          const es = expNegative(s)
          const et = expNegative(t)
          totalS += <f64>sumSome(es, rest)
          totalT += <f64>sumSome(et, rest)
          totalSD += <f64>sumSome(f32x4.mul(es, d), rest)
          totalTD += <f64>sumSome(f32x4.mul(et, d), rest)
        }
        i = vocabulary
      }
    }
    const c = Math.log(totalT) - Math.log(totalS)
    const back = c - totalSD / totalS
    store<f32>(forward + at, <f32>(totalTD / totalT - c))
    store<f32>(reverse + at, <f32>back)
    if (gradient) {
      const weight = <f64>load<f32>(weights + at) / temperature
      const factorS = <f32>(weight / totalS)
      const factorT = <f32>((weight * (1 - beta)) / totalT)
      const y = gradient + <usize>row * rowBytes
      addSlopes(student, teacher, y, vocabulary, mostS, mostT, inverse, factorS, factorT, <f32>beta, <f32>(c - back))
    }
  }
}

/** y += fs e^s (1 - beta + beta (offset - d)) - ft e^t */
function addSlopes(
  student: usize,
  teacher: usize,
  y: usize,
  count: i32,
  mostS: f32,
  mostT: f32,
  inverse: f32,
  factorS: f32,
  factorT: f32,
  beta: f32,
  offset: f32
): void {
  const ms = f32x4.splat(mostS)
  const mt = f32x4.splat(mostT)
  const f = f32x4.splat(inverse)
  for (let i = 0; i < count; i += 4, student += 16, teacher += 16, y += 16) {
    const rest = count - i
    const whole = rest >= 4
    const s = f32x4.mul(f32x4.sub(whole ? v128.load(student) : loadPart(student, rest), ms), f)
    const t = f32x4.mul(f32x4.sub(whole ? v128.load(teacher) : loadPart(teacher, rest), mt), f)
    const d = f32x4.sub(t, s)
    const ps = f32x4.mul(expNegative(s), f32x4.splat(factorS))
    const pt = f32x4.mul(expNegative(t), f32x4.splat(factorT))
    const bend = f32x4.mul(f32x4.splat(beta), f32x4.sub(f32x4.splat(offset), d))
    const slope = f32x4.sub(f32x4.mul(ps, f32x4.add(f32x4.splat(<f32>1 - beta), bend)), pt)
    if (whole) v128.store(y, f32x4.add(v128.load(y), slope))
    else storePart(y, f32x4.add(loadPart(y, rest), slope), rest)
  }
}
