/** GELU and gated SiLU with their gradients: entries take (first element, number of elements, pointers). */
import { gelu as geluOf, geluSlope, sigmoid } from "./math"
import { fma, loadPart, storePart } from "./simd"

/** y = x Phi(x), two runs of numbers at once: memory is read faster in two places than in one. */
export function gelu(_first: i32, count: i32, x: usize, y: usize): void {
  const run = (<usize>(count & ~7)) << 1
  const end = y + run
  for (; y < end; y += 16, x += 16) {
    const a = v128.load(x)
    const b = v128.load(x + run)
    v128.store(y, geluOf(a))
    v128.store(y + run, geluOf(b))
  }
  x += run
  y += run
  for (let rest = count & 7; rest > 0; rest -= 4, x += 16, y += 16) {
    if (rest >= 4) v128.store(y, geluOf(v128.load(x)))
    else storePart(y, geluOf(loadPart(x, rest)), rest)
  }
}

/** dx = dy (Phi(x) + x phi(x)), two runs at once */
export function geluGradient(_first: i32, count: i32, x: usize, dy: usize, dx: usize): void {
  const run = (<usize>(count & ~7)) << 1
  const end = dx + run
  for (; dx < end; dx += 16, dy += 16, x += 16) {
    const a = f32x4.mul(v128.load(dy), geluSlope(v128.load(x)))
    const b = f32x4.mul(v128.load(dy + run), geluSlope(v128.load(x + run)))
    v128.store(dx, a)
    v128.store(dx + run, b)
  }
  x += run
  dy += run
  dx += run
  for (let rest = count & 7; rest > 0; rest -= 4, x += 16, dy += 16, dx += 16) {
    if (rest >= 4) v128.store(dx, f32x4.mul(v128.load(dy), geluSlope(v128.load(x))))
    else storePart(dx, f32x4.mul(loadPart(dy, rest), geluSlope(loadPart(x, rest))), rest)
  }
}

/** y = gate sigmoid(gate) up */
export function siluTimes(_first: i32, count: i32, gate: usize, up: usize, y: usize): void {
  const end = y + ((<usize>(count & ~3)) << 2)
  for (; y < end; y += 16, gate += 16, up += 16) {
    const g = v128.load(gate)
    v128.store(y, f32x4.mul(f32x4.mul(g, sigmoid(g)), v128.load(up)))
  }
  const rest = count & 3
  if (rest) {
    const g = loadPart(gate, rest)
    storePart(y, f32x4.mul(f32x4.mul(g, sigmoid(g)), loadPart(up, rest)), rest)
  }
}

/** s (1 + gate (1 - s)) */
function siluSlope(g: v128, s: v128): v128 {
  return f32x4.mul(s, fma(g, f32x4.sub(f32x4.splat(1.0), s), f32x4.splat(1.0)))
}

/** With s = sigmoid(gate): dgate = dy up s (1 + gate (1 - s)), dup = dy gate s */
export function siluTimesGradient(
  _first: i32,
  count: i32,
  gate: usize,
  up: usize,
  dy: usize,
  dgate: usize,
  dup: usize
): void {
  const end = dgate + ((<usize>(count & ~3)) << 2)
  for (; dgate < end; dgate += 16, dup += 16, gate += 16, up += 16, dy += 16) {
    const g = v128.load(gate)
    const s = sigmoid(g)
    const d = v128.load(dy)
    v128.store(dgate, f32x4.mul(f32x4.mul(d, v128.load(up)), siluSlope(g, s)))
    v128.store(dup, f32x4.mul(f32x4.mul(d, g), s))
  }
  const rest = count & 3
  if (rest) {
    const g = loadPart(gate, rest)
    const s = sigmoid(g)
    const d = loadPart(dy, rest)
    storePart(dgate, f32x4.mul(f32x4.mul(d, loadPart(up, rest)), siluSlope(g, s)), rest)
    storePart(dup, f32x4.mul(f32x4.mul(d, g), s), rest)
  }
}
