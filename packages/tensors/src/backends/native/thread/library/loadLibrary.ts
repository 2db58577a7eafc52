/** Loads a library of matrix products, in every thread that will call it. */
import { createRequire } from "node:module"
import { cblas } from "./cblas.ts"
import type { Interface, Library, Products } from "./Library.ts"
import { onednn } from "./onednn.ts"

/** Tried in this order. */
const interfaces: readonly Interface[] = [onednn, cblas]

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

/** Loads a library by path or name. Throws what the loader said. */
export const loadLibrary = (path: string): Library & { readonly products: Products } => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi")
  const handle = koffi.load(path)
  for (const open of interfaces) {
    const library = open(handle, path)
    if (library === undefined) continue
    const addressOf = (buffer: SharedArrayBuffer) => Number(koffi.address(new Uint8Array(buffer)))
    return { ...library, products: { ...library.products, addressOf } }
  }
  throw new Error(`${path} has neither cblas_sgemm nor dnnl_sgemm`)
}
