/** Elements from one way of being stored to another, in one launch: what is packed is rounded to nearest, ties to even. */
import { elementsOfWord, type Kind, type PackedKind } from "./packing.ts"
import type { WgslLaunch, WgslProgram } from "./WebgpuBody.ts"
import { elementwise, workgroupsOfElements } from "./wgslText.ts"

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
