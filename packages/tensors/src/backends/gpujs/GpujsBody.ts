/** How a kernel runs as GPU.js programs: one flat function per output, one output element a thread. */
import type { Geometry } from "../../Kernel.ts"

/** What `this` is inside a program. */
export interface Thread {
  /** The element that this call computes. */
  readonly thread: { readonly x: number; readonly y: number; readonly z: number }
  /** The whole numbers of `GpujsProgram.constants`. */
  readonly constants: { readonly [name: string]: number }
}

/** An operand inside a program: flat, row-major, whatever its shape. */
export type Values = Float32Array

/**
 * A function that GPU.js translates. Its text is all that survives, so it closes over nothing but `Math` and its helpers,
 * and what it computes with stays in the common subset of JavaScript, WGSL, GLSL and WebAssembly:
 * - a whole number kept in a variable becomes a float there and is exact below 2^24 only. Positions in large operands are
 *   written inside the index itself, from threads, constants, loop counters and `(variable | 0)`;
 * - loops run from a literal 0 to a constant; what is beyond the end is skipped by an `if`;
 * - both arms of `c ? a : b` are evaluated, so neither may read outside of an operand.
 */
// biome-ignore lint/suspicious/noExplicitAny: the parameters are those of the program, checked against `reads` and `scalars` when it is compiled
export type ProgramFunction = (this: Thread, ...parameters: any[]) => number

/** A function of numbers that programs call by its name. */
// biome-ignore lint/suspicious/noExplicitAny: as above
export type HelperFunction = (...parameters: any[]) => number
