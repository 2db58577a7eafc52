/** How near each backend must come to the reference: the one table. */
import type { Tolerance } from "../src/index.ts"

export interface BackendTolerance {
  /** For kernels that name none of their own; a kernel's own, where it is wider, holds on f32 backends. */
  readonly forward: Tolerance
  readonly gradient: Tolerance
}

export const tolerances = {
  /** Compared with itself: every bit. */
  reference: { forward: { relative: 0, absolute: 0 }, gradient: { relative: 0, absolute: 0 } },
  native: { forward: { relative: 1e-5, absolute: 1e-6 }, gradient: { relative: 1e-4, absolute: 1e-5 } },
  /**
   * Products in bf16 have the reference's factors. Attention's probabilities are rounded after exponentials that differ in their last
   * bits: one that lies between two bf16 may become either, which moves an output by up to 2^-8 of that term.
   */
  bfloat16Attention: { relative: 4e-3, absolute: 4e-3 },
  /**
   * Products in one term of f16 matrices, each factor rounded to 11 bits: off by up to 2^-10 of the magnitudes that are added up, of
   * which the samples have 65 of about 1. test/gpujs/matrixModel.test.ts has it from the arithmetic. Three terms are held to f32's.
   */
  matricesOfHalves: {
    forward: { relative: 1e-3, absolute: 1.5e-2 },
    gradient: { relative: 1e-3, absolute: 1.5e-2 }
  },
  gpujs: { forward: { relative: 1e-3, absolute: 1e-5 }, gradient: { relative: 1e-3, absolute: 1e-4 } }
} as const satisfies { readonly [backend: string]: BackendTolerance | Tolerance }

/** Central differences in double precision against the reference's gradients. */
export const finiteDifferences: Tolerance = { relative: 1e-6, absolute: 1e-8 }
