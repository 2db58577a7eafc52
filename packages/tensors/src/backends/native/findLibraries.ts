/** Finds the system's libraries of matrix products and checks that they multiply. */
import { platform } from "#system/machine"
import { elementBytes } from "../../core/DType.ts"
import { BackendUnavailable } from "../../core/Errors.ts"
import { toBfloat16 } from "../../numbers/halfPrecision.ts"
import { hasKoffi, installCommand } from "../installedPackages.ts"
import { requireKoffi } from "../optionalPackages.ts"
import { addressOf, type LibraryPaths, loadLibrary, withoutLibraryThreads } from "./thread/library/loadLibrary.ts"
import { chooseOpenblasCore } from "./thread/library/openblasCore.ts"
import type { Gemm, Library } from "./thread/library/Products.ts"
import { multipliesBfloat16, multipliesTiles, readProcessor } from "./thread/processor.ts"

export interface Found extends Library {
  readonly path: string
}

/** A library, or why there is none. */
interface Search {
  readonly library?: Found
  readonly reason: string
}

type Kind = keyof LibraryPaths

interface Description {
  readonly title: string
  readonly variable: string
  readonly multiplies: "f32" | "bf16"
  /** What a library has to have. */
  readonly needs: string
  /** Names to try, the best first. */
  readonly candidates: () => readonly string[]
}

const blasNames: { readonly [system: string]: readonly string[] } = {
  linux: ["libopenblas.so.0", "libopenblas.so", "libmkl_rt.so.2", "libmkl_rt.so", "libblis.so.4", "libblis.so"],
  darwin: [
    "/System/Library/Frameworks/Accelerate.framework/Accelerate",
    "/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
    "/usr/local/opt/openblas/lib/libopenblas.dylib"
  ],
  win32: ["mkl_rt.2.dll", "libopenblas.dll", "openblas.dll"]
}
const onednnNames = ["libdnnl.so.3", "libdnnl.so.2", "libdnnl.so"]

const descriptions: { readonly [K in Kind]: Description } = {
  cblas: {
    title: "BLAS",
    variable: "SPEEDQ_BLAS",
    multiplies: "f32",
    needs: "cblas_sgemm",
    candidates: () => blasNames[platform] ?? []
  },
  onednn: {
    title: "oneDNN",
    variable: "SPEEDQ_ONEDNN",
    multiplies: "bf16",
    needs: "dnnl_gemm_bf16bf16f32",
    // Three products of bf16 take longer than one of f32 where the processor has no tiles.
    candidates: () => (platform === "linux" && multipliesTiles(readProcessor()) ? onednnNames : [])
  }
}

const reasonOf = (error: unknown): string => (error instanceof Error ? error.message : String(error)).split("\n")[0]!

/** Loads one library. Throws what is wrong with it. */
const open = (kind: Kind, path: string): Found => {
  chooseOpenblasCore()
  return withoutLibraryThreads(() => {
    const library = loadLibrary(kind, path)
    multiplyOnce(library.gemm, descriptions[kind].multiplies)
    return { path, ...library }
  })
}

/** [1 2; 3 4] [5 6; 7 8] = [19 22; 43 50]: a library with another interface (64-bit integers) would not give that. */
const multiplyOnce = (gemm: Gemm, dtype: "f32" | "bf16"): void => {
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
const find = (kind: Kind, choice: string, candidates = descriptions[kind].candidates): Search => {
  const { title, variable, needs } = descriptions[kind]
  if (choice === "none") return { reason: "not wanted" }
  if (choice !== "auto") {
    requireKoffi("native") // raises what is missing, before the library is blamed
    try {
      return { library: open(kind, choice), reason: "chosen" }
    } catch (error) {
      const fix = `give the path of a library with ${needs} in ${variable}, or none`
      throw new BackendUnavailable("native", `the ${title} ${choice} cannot be used (${reasonOf(error)}); ${fix}`)
    }
  }
  const names = candidates()
  if (names.length > 0 && !hasKoffi()) return { reason: `a ${title} needs koffi: ${installCommand("koffi")}` }
  for (const name of names) {
    try {
      return { library: open(kind, name), reason: "found" }
    } catch {
      // The next one may be installed.
    }
  }
  if (names.length === 0) return { reason: "nothing that this machine would gain by" }
  return { reason: `none of ${names.join(", ")} could be loaded` }
}

/** The BLAS for products of f32. */
export const findBlas = (choice: string): Search => find("cblas", choice)

/** oneDNN for products of f32 with what is stored as bf16: where that is faster than to widen it. */
export const findOnednn = (choice: string): Search => find("onednn", choice)

/** What is to be installed for products of bf16. */
const installOnednn = "apt-get install libdnnl2 (Debian; libdnnl3 elsewhere)"

/** oneDNN for products in bf16, or BackendUnavailable with what is missing and what to do. */
export const requireBfloat16 = (choice: string): Found => {
  const able = multipliesBfloat16(readProcessor())
  const names = platform === "linux" && able ? onednnNames : []
  const { library, reason } = find("onednn", choice, () => names)
  if (library !== undefined) return library
  const missing =
    choice === "none"
      ? "oneDNN is not wanted (SPEEDQ_ONEDNN or SPEEDQ_BLAS is none); unset that"
      : able
        ? `it needs oneDNN (${reason}): ${hasKoffi() ? installOnednn : installCommand("koffi")}`
        : "this processor does not multiply bf16 (it has neither avx512_bf16 nor amx_bf16)"
  throw new BackendUnavailable(
    "native",
    `no arithmetic in bf16: ${missing}; or choose bf16-or-f32, which computes in f32 then`
  )
}
