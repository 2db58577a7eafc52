/** How a kernel runs as GPU.js programs: flat functions that compute one element a thread. */
import type { Geometry } from "../../core/Geometry.ts"

/** What `this` is inside a program. */
export interface Thread {
  /** The element that this call computes: x is the last axis of `extent`'s row-major order. */
  readonly thread: { readonly x: number; readonly y: number; readonly z: number }
  /** The whole numbers of `GpujsProgram.constants` and `sizes`. */
  readonly constants: { readonly [name: string]: number }
}

/** An operand inside a program: flat, row-major, whatever its shape. 16-bit kinds hold the numbers that their patterns mean. */
export type Values = Float32Array

/**
 * A function that GPU.js translates from its text. It closes over nothing but `Math` and its helpers, and it stays in what
 * JavaScript, WebAssembly, WGSL and GLSL have in common:
 * - a whole number kept in a variable becomes a float there, exact below 2^24 only. Positions in operands are therefore
 *   written inside the index, from threads, constants, loop counters and `(variable | 0)`;
 * - an element that is itself a position is read into a constant first;
 * - a parameter of a helper has another name than every constant and table;
 * - loops run from a literal 0 to a constant, and an `if` skips what lies beyond the end;
 * - both arms of `c ? a : b` are evaluated, so neither may read outside of an operand.
 */
export type ProgramFunction = (this: never, ...parameters: never[]) => number

/** A flat function of numbers that programs call by its name. */
export type HelperFunction = (...numbers: number[]) => number

/** One launch: `extent` threads, each of which computes one element of `output`. */
export interface GpujsProgram {
  /**
   * An output of the kernel; an updated operand, whose storage the result replaces; or another name for an intermediate
   * that later programs of the body read and that is released after them.
   */
  readonly output: string
  readonly compute: ProgramFunction
  /**
   * Operands, outputs and intermediates (as they stand then) in the order of the function's first parameters. Of what has the
   * output's own name a thread reads nothing but the element that it computes: the result may take its place.
   */
  readonly reads: readonly string[]
  /** Numbers for the remaining parameters; they may change from call to call without a new compilation. */
  readonly scalars?: readonly number[]
  /** Whole numbers that are compiled in: widths, choices. `this.constants` in the function. */
  readonly constants?: { readonly [name: string]: number }
  /** Whole numbers that change from call to call: lengths. `this.constants` too, but a new one compiles nothing where that is dear. */
  readonly sizes?: { readonly [name: string]: number }
  /** Arrays computed on the host, `this.constants` too; they are part of the compiled program. */
  readonly tables?: { readonly [name: string]: Float32Array }
  /** [x], [x, y] or [x, y, z] threads: their product is the number of elements of `output`. */
  readonly extent: readonly number[]
  /** Functions that `compute` calls, and those that they call. */
  readonly helpers?: readonly HelperFunction[]
}

export interface GpujsBody<I extends string = string, O extends string = string, A extends object = object> {
  /** The programs of a kernel, in order, for operands of these shapes (absent ones have no entry). */
  programs(geometry: Geometry<I, O>, attributes: A): readonly GpujsProgram[]
  /** Looks at the i32 operands, which the host knows, before any work. Raises InvalidIndex. */
  check?(indices: { readonly [K in I]: Int32Array }, geometry: Geometry<I, O>, attributes: A): void
}
