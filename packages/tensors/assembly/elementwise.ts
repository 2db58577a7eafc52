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
