/** One way to run kernels, as the conformance suite sees it: how to start it, or why it cannot run on this machine. */
import { type AnyKernel, type Arithmetic, type Backend, BackendUnavailable, type Tolerance } from "../../src/index.ts"
import type { BackendTolerance } from "../tolerances.ts"

export interface ModeOptions {
  readonly name: string
  readonly start: () => Backend | Promise<Backend>
  /** What this backend runs a kernel with; a kernel without one fails the suite. */
  readonly bodyOf: (kernel: AnyKernel) => unknown
  readonly tolerance: BackendTolerance
  /** The kernels that it is asked for; default all, and what is asked of the backend as a whole. */
  readonly only?: (kernel: AnyKernel) => boolean
  /** Where some kernels cannot come as near. */
  readonly toleranceOf?: (kernel: AnyKernel) => Tolerance | undefined
  /** The arithmetic that it multiplies in, as the reference must. Default f32. */
  readonly arithmetic?: Arithmetic
  /** Whether some machines lack it. Where not, a start that fails is a failure of the suite, never a skip. Default false. */
  readonly optional?: boolean
  /** Whether kernels whose own tolerance is zero (quantization) are held to it. Default true. */
  readonly exact?: boolean
  /** Whether NaN and infinity behave as in IEEE 754; WGSL lets an implementation assume that there are none. Default true. */
  readonly ieee?: boolean
  /** Whether it looks at index operands before it runs. Default false. */
  readonly checksIndices?: boolean
  /** Whether operands of more than 2^24 elements are tried. Default true. */
  readonly huge?: boolean
}

export interface Mode extends ModeOptions {
  /** Why it does not run here; absent where it does. */
  readonly unavailable?: string
  /** The running backend; closed by the suite. */
  readonly backend: Backend | undefined
}

/** Starts a mode, or says why an optional one is not there. Anything but its BackendUnavailable is a failure of the suite. */
export const startMode = async (options: ModeOptions): Promise<Mode> => {
  try {
    return { ...options, backend: await options.start() }
  } catch (error) {
    if (!(options.optional && error instanceof BackendUnavailable)) throw error
    return { ...options, backend: undefined, unavailable: error.message }
  }
}
