/** Finds the system's BLAS and checks that it multiplies. */
import { BackendUnavailable } from "../../Errors.ts"
import { chooseOpenblasCore } from "./openblasCore.ts"
import { type Library, loadBlas, withoutLibraryThreads } from "./thread/blas.ts"

export interface Blas {
  readonly path: string
  /** Such as "OpenBLAS 0.3.21". */
  readonly name: string
  /** What the library says of itself: version, processor, build. */
  readonly configuration: string
  readonly library: Library
}

const candidates: { readonly [platform: string]: readonly string[] } = {
  linux: ["libopenblas.so.0", "libopenblas.so", "libmkl_rt.so.2", "libmkl_rt.so", "libblis.so.4", "libblis.so"],
  darwin: [
    "/System/Library/Frameworks/Accelerate.framework/Accelerate",
    "/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
    "/usr/local/opt/openblas/lib/libopenblas.dylib"
  ],
  win32: ["mkl_rt.2.dll", "libopenblas.dll", "openblas.dll"]
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0]!

/** Loads one library. Throws what is wrong with it. */
const open = (path: string): Blas => {
  chooseOpenblasCore()
  const library = withoutLibraryThreads(() => {
    const loaded = loadBlas(path)
    // A library that was loaded before, with threads, is told now.
    loaded.ask("void openblas_set_num_threads(int threads)", 1)
    loaded.ask("void MKL_Set_Num_Threads(int threads)", 1)
    loaded.ask("void bli_thread_set_num_threads(int64_t threads)", 1)
    multiplyOnce(loaded)
    return loaded
  })
  return { path, library, ...identify(path, library) }
}

/** [1 2; 3 4] [5 6; 7 8] = [19 22; 43 50]: a library with another interface (64-bit integers) would not give that. */
const multiplyOnce = ({ sgemm }: Library): void => {
  const buffer = new SharedArrayBuffer(48)
  const values = new Float32Array(buffer)
  values.set([1, 2, 3, 4, 5, 6, 7, 8])
  const address = sgemm.addressOf(buffer)
  sgemm.call(2, 2, 2, address, 2, false, address + 16, 2, false, 0, address + 32, 2)
  const product = Array.from(values.subarray(8))
  if (product.join() !== "19,22,43,50") throw new Error(`its cblas_sgemm computed [${product}] for [19,22,43,50]`)
}

const identify = (path: string, library: Library): { readonly name: string; readonly configuration: string } => {
  const openblas = library.ask("str openblas_get_config()")
  if (typeof openblas === "string") {
    const configuration = openblas.trim()
    return { name: configuration.split(" ").slice(0, 2).join(" "), configuration }
  }
  const blis = library.ask("str bli_info_get_version_str()")
  if (typeof blis === "string") return { name: `BLIS ${blis}`, configuration: `BLIS ${blis}` }
  if (/mkl/i.test(path)) return { name: "MKL", configuration: path }
  if (/Accelerate/.test(path)) return { name: "Accelerate", configuration: path }
  return { name: path, configuration: path }
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
        `the BLAS ${choice} cannot be used (${reasonOf(error)}); give the path of a library with cblas_sgemm in SPEEDQ_BLAS, or none`
      )
    }
  }
  const names = candidates[process.platform] ?? []
  for (const name of names) {
    try {
      return { blas: open(name), reason: "found" }
    } catch {
      // The next one may be installed.
    }
  }
  return { reason: `none of ${names.join(", ")} could be loaded` }
}
