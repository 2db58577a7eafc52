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
 * Cross entropy with smoothed labels: the target of a row of logits x is q_v = (1 - s) [v = label] + s / V, and
 *   log p_v = x_v - L,  L = most + ln sum_v e^(x_v - most)             the logarithm of the softmax, from sum 1
 *   loss = -sum_v q_v log p_v = (1 - s) (L - x_label) + s (L - mean x)   mean x from sum 2, of the logits themselves
 *   dloss / dx_v = p_v - q_v                                             as the q_v add up to 1
 * so that a row is read for its maximum, for both sums, and once more for gradient += weight (p - q) when there is one.
 * Rows of label `ignored` or weight 0 have loss 0 and gradient 0.
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
    const logSumExp = <f64>most + Math.log(sum)
    let value = (1 - smoothing) * (logSumExp - <f64>load<f32>(logits + ((<usize>label) << 2)))
    // Without smoothing the mean does not count: a logit of -infinity is a legal "never".
    if (smoothing > 0) value += smoothing * (logSumExp - sumRead / <f64>vocabulary)
    store<f32>(loss, <f32>value)
    if (gradient) {
      const weight = <f64>load<f32>(weights + at)
      const target = gradient + <usize>row * rowBytes
      // weight p_v = weight / sum e^(x_v - most), less the part of q_v that all v have; then the label's own.
      const everywhere = (weight * smoothing) / <f64>vocabulary
      addProbabilities(logits, target, vocabulary, most, <f32>(weight / sum), <f32>everywhere)
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

/** What `sumPair` has found last: sums over v of e^s, e^t, e^s d and e^t d, with d = t - s. */
let sumS: f64 = 0
let sumT: f64 = 0
let sumSD: f64 = 0
let sumTD: f64 = 0

/** Four numbers of a row less its largest and over the temperature; `rest` of them, from 1 to 4, are there. */
function shifted(x: usize, rest: i32, most: v128, inverse: v128): v128 {
  return f32x4.mul(f32x4.sub(rest >= 4 ? v128.load(x) : loadPart(x, rest), most), inverse)
}

/** The four sums of a row of two models, s and t being their logits less the largest and over the temperature. */
function sumPair(student: usize, teacher: usize, count: i32, mostS: v128, mostT: v128, inverse: v128): void {
  sumS = 0
  sumT = 0
  sumSD = 0
  sumTD = 0
  let i = 0
  while (i + 4 <= count) {
    const end = min(i + run, count & ~3)
    let runS = f32x4.splat(0)
    let runT = runS
    let runSD = runS
    let runTD = runS
    for (; i < end; i += 4, student += 16, teacher += 16) {
      const s = shifted(student, 4, mostS, inverse)
      const t = shifted(teacher, 4, mostT, inverse)
      const d = f32x4.sub(t, s)
      const es = expNegative(s)
      const et = expNegative(t)
      runS = f32x4.add(runS, es)
      runT = f32x4.add(runT, et)
      runSD = f32x4.add(runSD, f32x4.mul(es, d))
      runTD = f32x4.add(runTD, f32x4.mul(et, d))
    }
    sumS += <f64>sumLanes(runS)
    sumT += <f64>sumLanes(runT)
    sumSD += <f64>sumLanes(runSD)
    sumTD += <f64>sumLanes(runTD)
  }
  const rest = count - i
  if (rest) {
    const s = shifted(student, rest, mostS, inverse)
    const t = shifted(teacher, rest, mostT, inverse)
    const d = f32x4.sub(t, s)
    const es = expNegative(s)
    const et = expNegative(t)
    sumS += <f64>sumSome(es, rest)
    sumT += <f64>sumSome(et, rest)
    sumSD += <f64>sumSome(f32x4.mul(es, d), rest)
    sumTD += <f64>sumSome(f32x4.mul(et, d), rest)
  }
}

/**
 * CAKLD mixes the divergences of a student from its teacher: beta reverse + (1 - beta) forward, with
 * forward = KL(teacher || student) = sum_v pt (log pt - log ps) and reverse = KL(student || teacher) = sum_v ps (log ps - log pt).
 * With s and t the logits over the temperature T, each less its row's largest, Zs and Zt the sums of e^s and e^t:
 *   ps = e^s / Zs, pt = e^t / Zt, so log pt - log ps = d - c with d = t - s and c = ln Zt - ln Zs
 *   forward = sum_v pt (d - c) = sum(e^t d) / Zt - c
 *   reverse = sum_v ps (c - d) = c - sum(e^s d) / Zs                    as ps and pt add up to 1
 * which takes the four sums of `sumPair`. The gradient by the student's logit x_u, through s = x / T and
 * dps_v / ds_u = ps_v ([u = v] - ps_u):
 *   dforward / ds_u = ps_u - pt_u
 *   dreverse / ds_u = ps_u (log ps_u - log pt_u - reverse) = ps_u (c - d_u - reverse)
 *   d / dx_u = (ps (1 - beta + beta (c - reverse - d)) - (1 - beta) pt) / T
 * which takes one more pass, `addSlopes`, that adds it to `gradient`, times the row's weight. Rows of weight 0 give 0.
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
  const inverse = f32x4.splat(<f32>(1 / temperature))
  for (let row = 0; row < count; row++, student += rowBytes, teacher += rowBytes) {
    const at = (<usize>row) << 2
    if (uncounted(weights, at)) {
      store<f32>(forward + at, 0)
      store<f32>(reverse + at, 0)
      continue
    }
    const mostS = f32x4.splat(rowMax(student, vocabulary))
    const mostT = f32x4.splat(rowMax(teacher, vocabulary))
    sumPair(student, teacher, vocabulary, mostS, mostT, inverse)
    const c = Math.log(sumT) - Math.log(sumS)
    const back = c - sumSD / sumS
    store<f32>(forward + at, <f32>(sumTD / sumT - c))
    store<f32>(reverse + at, <f32>back)
    if (gradient) {
      const weight = <f64>load<f32>(weights + at) / temperature
      const factorS = <f32>(weight / sumS)
      const factorT = <f32>((weight * (1 - beta)) / sumT)
      const y = gradient + <usize>row * rowBytes
      addSlopes(student, teacher, y, vocabulary, mostS, mostT, inverse, factorS, factorT, <f32>beta, <f32>(c - back))
    }
  }
}

/** y += factorS e^s (1 - beta + beta (offset - d)) - factorT e^t */
function addSlopes(
  student: usize,
  teacher: usize,
  y: usize,
  count: i32,
  mostS: v128,
  mostT: v128,
  inverse: v128,
  factorS: f32,
  factorT: f32,
  beta: f32,
  offset: f32
): void {
  for (let i = 0; i < count; i += 4, student += 16, teacher += 16, y += 16) {
    const rest = count - i
    const s = shifted(student, rest, mostS, inverse)
    const t = shifted(teacher, rest, mostT, inverse)
    const d = f32x4.sub(t, s)
    const ps = f32x4.mul(expNegative(s), f32x4.splat(factorS))
    const pt = f32x4.mul(expNegative(t), f32x4.splat(factorT))
    const bend = f32x4.mul(f32x4.splat(beta), f32x4.sub(f32x4.splat(offset), d))
    const slope = f32x4.sub(f32x4.mul(ps, f32x4.add(f32x4.splat(<f32>1 - beta), bend)), pt)
    if (rest >= 4) v128.store(y, f32x4.add(v128.load(y), slope))
    else storePart(y, f32x4.add(loadPart(y, rest), slope), rest)
  }
}
