/** Elementwise arithmetic: entries take (first element, number of elements, pointers, scalars). */
import { loadPart, storePart } from "./simd"

/** y = a + b */
export function add(_first: i32, count: i32, a: usize, b: usize, y: usize): void {
  const end = y + ((<usize>(count & ~3)) << 2)
  for (; y < end; y += 16, a += 16, b += 16) v128.store(y, f32x4.add(v128.load(a), v128.load(b)))
  const rest = count & 3
  if (rest) storePart(y, f32x4.add(loadPart(a, rest), loadPart(b, rest)), rest)
}

/** y += x */
export function addInto(first: i32, count: i32, y: usize, x: usize): void {
  add(first, count, y, x, y)
}

/** y = a b */
export function multiply(_first: i32, count: i32, a: usize, b: usize, y: usize): void {
  const end = y + ((<usize>(count & ~3)) << 2)
  for (; y < end; y += 16, a += 16, b += 16) v128.store(y, f32x4.mul(v128.load(a), v128.load(b)))
  const rest = count & 3
  if (rest) storePart(y, f32x4.mul(loadPart(a, rest), loadPart(b, rest)), rest)
}

/** y = factor x */
export function scale(_first: i32, count: i32, x: usize, y: usize, factor: f32): void {
  const f = f32x4.splat(factor)
  const end = y + ((<usize>(count & ~3)) << 2)
  for (; y < end; y += 16, x += 16) v128.store(y, f32x4.mul(v128.load(x), f))
  const rest = count & 3
  if (rest) storePart(y, f32x4.mul(loadPart(x, rest), f), rest)
}

/** y[n, i] = factors[n] x[n, i]: rows of `columns`. */
export function scaleRows(_first: i32, count: i32, x: usize, factors: usize, y: usize, columns: i32): void {
  const rowBytes = (<usize>columns) << 2
  for (let row = 0; row < count; row++, x += rowBytes, y += rowBytes, factors += 4) {
    scale(0, columns, x, y, load<f32>(factors))
  }
}
