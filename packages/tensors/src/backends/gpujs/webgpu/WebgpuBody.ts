/** How a kernel runs as WGSL of its own, beside its GPU.js programs, which stay its definition on a GPU. */
import type { Geometry } from "../../../core/Geometry.ts"
import type { GpujsProgram } from "../GpujsBody.ts"
import type { Matrices } from "./matrices.ts"
import type { PackedKind } from "./packing.ts"

/**
 * A text of WGSL, and what it calls its operands. Every operand is an `array<f32>` of its name, bound in the order of `reads`, then
 * of `writes`, unless `widened` or `packs` says otherwise; `p` holds the numbers of a launch. The text has the rest, `fn main` with its workgroup size included. It is compiled
 * once a device: a text that depends on widths is kept by them, not made anew for every call.
 */
export interface WgslProgram {
  readonly reads: readonly string[]
  /** Read, too, where the launch names an updated operand, or what an earlier launch of the call has written. */
  readonly writes: readonly string[]
  /** Members of `p`: u32 first, then f32. */
  readonly whole?: readonly string[]
  readonly real?: readonly string[]
  /** Of `reads`, those that may be stored as bf16, f16 or u8, too: the text reads element i of `x` as x_at(i), an f32. */
  readonly widened?: readonly string[]
  /** What is written is of this kind, an `array<u32>` of whole words: bytes in the order of elements, the first one lowest. */
  readonly packs?: PackedKind
  /** What comes before all declarations: extensions of WGSL that the text needs. */
  readonly directives?: string
  readonly text: string
}

/** What a launch writes. */
export interface WgslTarget {
  /** An output, an updated operand, or a name for an intermediate that ends with the call. */
  readonly name: string
  /** Elements of an intermediate. What is not written of it is undefined. */
  readonly size?: number
}

/** One launch: a program, and what stands for the names in its text, in their order. */
export interface WgslLaunch {
  readonly program: WgslProgram
  /** Operands, outputs and intermediates as they stand then. One that is also written is read from a copy. */
  readonly reads: readonly string[]
  readonly writes: readonly WgslTarget[]
  readonly whole?: readonly number[]
  readonly real?: readonly number[]
  /** Workgroups along x, y and z. Where there are none, nothing is written, and an output reads as zeros. */
  readonly workgroups: readonly [number, number, number]
}

export type LaunchStep = GpujsProgram | WgslLaunch

export interface WebgpuBody<I extends string = string, O extends string = string, A extends object = object> {
  /**
   * The launches of a kernel, in order; its GPU.js programs among them, or in their place where a shape suits those better. `matrices`
   * is there where products are to be computed by matrices of f16.
   */
  launches(geometry: Geometry<I, O>, attributes: A, matrices?: Matrices): readonly LaunchStep[]
}

/** The most workgroups along an axis on every device. */
const mostAlongAxis = 65535

/** `count` workgroups in rows of equal length: the text finds its number as group.y * groups.x + group.x, and ends beyond `count`. */
export const inRows = (count: number): readonly [number, number, number] => {
  const rows = Math.max(1, Math.ceil(count / mostAlongAxis))
  return [Math.ceil(count / rows), rows, 1]
}
