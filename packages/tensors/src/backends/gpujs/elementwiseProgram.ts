/** Programs whose threads are the elements of one flat array. */
import { type Shape, sizeOf } from "../../core/Shape.ts"
import type { GpujsProgram, ProgramFunction } from "./GpujsBody.ts"

/** One thread for each element of `shape`, in row-major order: `this.thread.x`. */
export const elementwiseProgram = (
  output: string,
  compute: ProgramFunction,
  reads: readonly string[],
  shape: Shape,
  more: Partial<GpujsProgram> = {}
): GpujsProgram => ({ output, compute, reads, extent: [sizeOf(shape)], ...more })
