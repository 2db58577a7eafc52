/** Loads libraries of matrix products, in every thread that will call them. */
import { requireKoffi } from "../../../optionalPackages.ts"
import { cblas } from "./cblas.ts"
import { onednn } from "./onednn.ts"
import type { Library, Products } from "./Products.ts"

const interfaces = { cblas, onednn } as const

/** Paths or names of the libraries in use. */
export interface LibraryPaths {
  readonly cblas: string | undefined
  readonly onednn: string | undefined
}

/** Variables that keep a library from starting threads of its own, read when it is loaded or called first. */
const single = [
  "OPENBLAS_NUM_THREADS",
  "MKL_NUM_THREADS",
  "BLIS_NUM_THREADS",
  "OMP_NUM_THREADS",
  "VECLIB_MAXIMUM_THREADS"
]

/** Runs `body` with the variables set to one thread, and puts them back. */
export const withoutLibraryThreads = <T>(body: () => T): T => {
  const before = single.map((name) => [name, process.env[name]] as const)
  for (const name of single) process.env[name] = "1"
  try {
    return body()
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name]
      else process.env[name] = value
    }
  }
}

export const loadLibrary = (kind: keyof LibraryPaths, path: string): Library =>
  interfaces[kind](requireKoffi("native").load(path), path)

/** Address of a shared buffer's first byte. */
export const addressOf = (buffer: SharedArrayBuffer): number =>
  Number(requireKoffi("native").address(new Uint8Array(buffer)))

/** Undefined where there are no libraries. Throws what the loader said. */
export const loadProducts = (paths: LibraryPaths): Products | undefined => {
  const gemm = (kind: keyof LibraryPaths) => {
    const path = paths[kind]
    return path === undefined ? undefined : loadLibrary(kind, path).gemm
  }
  const [f32, bf16] = [gemm("cblas"), gemm("onednn")]
  return f32 === undefined && bf16 === undefined ? undefined : { addressOf, f32, bf16 }
}
