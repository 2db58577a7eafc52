/**
 * Tensors of 8 and 16 bits as the device stores them: their bytes as they are, two or four elements in a word of 32 bits, the first
 * one lowest. WGSL widens them where it reads, and packs what it wrote as f32.
 */
import { type DType, elementBytes } from "../../../core/DType.ts"

export type PackedKind = "bf16" | "f16" | "u8"

/** How elements lie in storage; those of an i32 tensor are f32, too. */
export type Kind = "f32" | PackedKind

export const isPacked = (dtype: DType): dtype is PackedKind => dtype === "bf16" || dtype === "f16" || dtype === "u8"

export const kindOf = (dtype: DType): Kind => (isPacked(dtype) ? dtype : "f32")

/** How many lie in a word. */
export const elementsOfWord = (kind: Kind): number => 4 / elementBytes(kind)

/** Bytes of `length` elements in whole words. */
export const bytesOfWords = (kind: Kind, length: number): number => 4 * Math.ceil(length / elementsOfWord(kind))

/**
 * widened_KIND(word, i): element i, which lies in that word, as an f32, exactly: subnormals, infinities and NaN, too. Halves are
 * widened by whole numbers, since `unpack2x16float` may lose subnormals.
 */
const widening: { readonly [K in PackedKind]: string } = {
  bf16: `
fn widened_bf16(word: u32, i: u32) -> f32 {
  return bitcast<f32>(select(word << 16u, word & 0xffff0000u, (i & 1u) == 1u));
}`,
  f16: `
fn widened_f16(word: u32, i: u32) -> f32 {
  let half = word >> ((i & 1u) * 16u);
  let size = half & 0x7fffu;
  var bits = (size << 13u) + 0x38000000u; // exponent of bias 127 for 15
  if (size < 0x400u) { bits = bitcast<u32>(f32(size) * 5.9604644775390625e-8); } // multiples of 2^-24
  if (size >= 0x7c00u) { bits += 0x38000000u; } // infinity, NaN
  return bitcast<f32>(bits | ((half & 0x8000u) << 16u));
}`,
  u8: `
fn widened_u8(word: u32, i: u32) -> f32 {
  return f32((word >> ((i & 3u) * 8u)) & 0xffu);
}`
}

/** The functions that read what is stored as these kinds. */
export const wideningOf = (kinds: Iterable<Kind>): string =>
  [...new Set(kinds)].map((kind) => (kind === "f32" ? "" : widening[kind])).join("")

/** Element `i`, which is a name, of an array that holds `kind`. */
export const readOf = (kind: Kind, array: string, i: string): string =>
  kind === "f32" ? `${array}[${i}]` : `widened_${kind}(${array}[${i} / ${elementsOfWord(kind)}u], ${i})`
