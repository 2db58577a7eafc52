/** OpenBLAS chooses its kernels by the processor's model; a model that is newer than the library gets those of AVX2. */
import { type Processor, readProcessor } from "../processor.ts"

/** What the kernels that OpenBLAS calls SkylakeX need. */
const needed = ["avx512f", "avx512dq", "avx512bw", "avx512cd", "avx512vl"]

/**
 * The value of OPENBLAS_CORETYPE that a processor deserves, or undefined to leave the choice to the library: AMD's Zen 4
 * and 5 have AVX-512, which OpenBLAS up to 0.3.21 does not know of them and which doubles its products.
 */
export const coreTypeFor = ({ vendor, features }: Processor): string | undefined =>
  vendor === "AuthenticAMD" && needed.every((feature) => features.has(feature)) ? "SkylakeX" : undefined

/** Tells OpenBLAS before it is loaded; a choice that the user made stands. */
export const chooseOpenblasCore = (): void => {
  if (process.env.OPENBLAS_CORETYPE !== undefined) return
  const coreType = coreTypeFor(readProcessor())
  if (coreType !== undefined) process.env.OPENBLAS_CORETYPE = coreType
}
