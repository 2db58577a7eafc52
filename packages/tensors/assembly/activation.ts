/** GELU and gated SiLU with their gradients: entries take (first element, number of elements, pointers). */
import { gelu as geluOf, geluSlope, sigmoid } from "./math"
import { fma, loadPart, storePart } from "./simd"

/** y = x Phi(x) */
export function gelu(_first: i32, count: i32, x: usize, y: usize): void {
  const end = y + ((<usize>(count & ~3)) << 2)
  for (; y < end; y += 16, x += 16) v128.store(y, geluOf(v128.load(x)))
  const rest = count & 3
  if (rest) storePart(y, geluOf(loadPart(x, rest)), rest)
}

/** dx = dy (Phi(x) + x phi(x)) */
export function geluGradient(_first: i32, count: i32, x: usize, dy: usize, dx: usize): void {
  const end = dx + ((<usize>(count & ~3)) << 2)
  for (; dx < end; dx += 16, dy += 16, x += 16) v128.store(dx, f32x4.mul(v128.load(dy), geluSlope(v128.load(x))))
  const rest = count & 3
  if (rest) storePart(dx, f32x4.mul(loadPart(dy, rest), geluSlope(loadPart(x, rest))), rest)
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
