/**
 * Tensors of 8 and 16 bits as the device stores them: their bytes as they are, two or four elements in a word of 32 bits, the first
 * one lowest. WGSL widens them where it reads, and packs what it wrote as f32.
 */
import { type DType, elementBytes } from "../../../core/DType.ts"
import type { WgslLaunch, WgslProgram } from "./WebgpuBody.ts"
import { elementwise, workgroupsOfElements } from "./wgslText.ts"

export type PackedKind = "bf16" | "f16" | "u8"

/** How elements lie in storage; those of an i32 tensor are f32, too. */
export type Kind = "f32" | PackedKind

export const isPacked = (dtype: DType): dtype is PackedKind => dtype === "bf16" || dtype === "f16" || dtype === "u8"

export const kindOf = (dtype: DType): Kind => (isPacked(dtype) ? dtype : "f32")

const elementsOfWord = (kind: Kind): number => 4 / elementBytes(kind)

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

/** narrowed_KIND(x): the pattern of the number of that kind nearest to x, ties to even; NaN is the usual quiet one. */
const narrowing: { readonly [K in PackedKind]: string } = {
  bf16: `
fn narrowed_bf16(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) { return 0x7fc0u; }
  return (bits + 0x7fffu + ((bits >> 16u) & 1u)) >> 16u;
}`,
  f16: `
fn narrowed_f16(x: f32) -> u32 {
  let bits = bitcast<u32>(x);
  let size = bits & 0x7fffffffu;
  if (size > 0x7f800000u) { return 0x7e00u; }
  var half = (size - 0x38000000u + 0xfffu + ((size >> 13u) & 1u)) >> 13u;
  if (size < 0x38800000u) { half = u32(round(bitcast<f32>(size) * 16777216.0)); } // below 2^-14, in multiples of 2^-24
  if (size >= 0x477ff000u) { half = 0x7c00u; } // from 65520
  return half | ((bits >> 16u) & 0x8000u);
}`,
  u8: `
fn narrowed_u8(x: f32) -> u32 { return u32(x); }`
}

/** The functions that read what is stored as these kinds. */
export const wideningOf = (kinds: Iterable<Kind>): string =>
  [...new Set(kinds)].map((kind) => (kind === "f32" ? "" : widening[kind])).join("")

/** Element `i`, which is a name, of an array that holds `kind`. */
export const readOf = (kind: Kind, array: string, i: string): string =>
  kind === "f32" ? `${array}[${i}]` : `widened_${kind}(${array}[${i} / ${elementsOfWord(kind)}u], ${i})`

/** One word a thread; what is beyond the last element is 0. */
const packingTo = (kind: PackedKind): WgslProgram => {
  const each = elementsOfWord(kind)
  return {
    reads: ["x"],
    writes: ["y"],
    whole: ["size", "elements"],
    widened: ["x"],
    packs: kind,
    text: `${narrowing[kind]}${elementwise(`
  var word = 0u;
  for (var e = 0u; e < ${each}u && ${each}u * i + e < p.elements; e++) {
    word |= narrowed_${kind}(x_at(${each}u * i + e)) << (e * ${32 / each}u);
  }
  y[i] = word;`)}`
  }
}

const conversions: { readonly [K in Kind]: WgslProgram } = {
  f32: {
    reads: ["x"],
    writes: ["y"],
    whole: ["size", "elements"],
    widened: ["x"],
    text: elementwise("  y[i] = x_at(i);")
  },
  bf16: packingTo("bf16"),
  f16: packingTo("f16"),
  u8: packingTo("u8")
}

/** y = x as the numbers of `kind` nearest to them, however x is stored. */
export const conversion = (kind: Kind, elements: number): WgslLaunch => {
  const words = Math.ceil(elements / elementsOfWord(kind))
  return {
    program: conversions[kind],
    reads: ["x"],
    writes: [{ name: "y" }],
    whole: [words, elements],
    workgroups: workgroupsOfElements(words)
  }
}
