/** Finds the system's library of matrix products and checks that it multiplies. */
import { elementBytes } from "../../DType.ts"
import { BackendUnavailable } from "../../Errors.ts"
import { toBfloat16 } from "../../halfPrecision.ts"
import type { Gemm, Library, Products } from "./thread/library/Library.ts"
import { loadLibrary, withoutLibraryThreads } from "./thread/library/loadLibrary.ts"
import { chooseOpenblasCore } from "./thread/library/openblasCore.ts"
import { multipliesTiles, readProcessor } from "./thread/processor.ts"

export interface Blas extends Library {
  readonly path: string
  readonly products: Products
}

const onednn = ["libdnnl.so.3", "libdnnl.so.2", "libdnnl.so"]
const linux = ["libopenblas.so.0", "libopenblas.so", "libmkl_rt.so.2", "libmkl_rt.so", "libblis.so.4", "libblis.so"]

/** Names to try on this machine, the best first: oneDNN is where the processor has tiles, the last resort elsewhere. */
const candidates = (): readonly string[] => {
  switch (process.platform) {
    case "linux":
      return multipliesTiles(readProcessor()) ? [...onednn, ...linux] : [...linux, ...onednn]
    case "darwin":
      return [
        "/System/Library/Frameworks/Accelerate.framework/Accelerate",
        "/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
        "/usr/local/opt/openblas/lib/libopenblas.dylib"
      ]
    case "win32":
      return ["mkl_rt.2.dll", "libopenblas.dll", "openblas.dll"]
    default:
      return []
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0]!

/** Loads one library. Throws what is wrong with it. */
const open = (path: string): Blas => {
  chooseOpenblasCore()
  return withoutLibraryThreads(() => {
    const library = loadLibrary(path)
    const { f32, bf16, addressOf } = library.products
    multiplyOnce(f32, addressOf, "f32")
    if (bf16 !== undefined) multiplyOnce(bf16, addressOf, "bf16")
    return { path, ...library }
  })
}

/** [1 2; 3 4] [5 6; 7 8] = [19 22; 43 50]: a library with another interface (64-bit integers) would not give that. */
const multiplyOnce = (gemm: Gemm, addressOf: Products["addressOf"], dtype: "f32" | "bf16"): void => {
  const buffer = new SharedArrayBuffer(48)
  const factors = [1, 2, 3, 4, 5, 6, 7, 8]
  if (dtype === "f32") new Float32Array(buffer).set(factors)
  else new Uint16Array(buffer).set(factors.map(toBfloat16))
  const address = addressOf(buffer)
  gemm(2, 2, 2, address, 2, false, address + 4 * elementBytes(dtype), 2, false, 0, address + 32, 2)
  const product = Array.from(new Float32Array(buffer, 32, 4))
  if (product.join() !== "19,22,43,50") throw new Error(`its product in ${dtype} is [${product}] for [19,22,43,50]`)
}

/**
 * The library to use: a path or name must load or it raises BackendUnavailable; "auto" is the first of the platform's
 * that does, or the reason why there is none; "none" is none.
 */
export const findBlas = (choice: string): { readonly blas?: Blas; readonly reason: string } => {
  if (choice === "none") return { reason: "not wanted" }
  if (choice !== "auto") {
    try {
      return { blas: open(choice), reason: "chosen" }
    } catch (error) {
      throw new BackendUnavailable(
        "native",
        `the BLAS ${choice} cannot be used (${reasonOf(error)}); give the path of a library with cblas_sgemm or dnnl_sgemm in SPEEDQ_BLAS, or none`
      )
    }
  }
  const names = candidates()
  for (const name of names) {
    try {
      return { blas: open(name), reason: "found" }
    } catch {
      // The next one may be installed.
    }
  }
  return { reason: `none of ${names.join(", ")} could be loaded` }
}
