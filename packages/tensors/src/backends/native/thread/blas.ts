/** Single-precision products of a system BLAS. Every thread calls the library on a slice of its own, so the library runs none. */
import { createRequire } from "node:module"

/** cblas_sgemm, row-major, C = A B + beta C, on addresses. */
export interface Sgemm {
  readonly addressOf: (buffer: SharedArrayBuffer) => number
  readonly call: (
    m: number,
    n: number,
    k: number,
    a: number,
    lda: number,
    transposeA: boolean,
    b: number,
    ldb: number,
    transposeB: boolean,
    beta: number,
    c: number,
    ldc: number
  ) => void
}

/** A library that was loaded, with whatever of these functions it has. */
export interface Library {
  readonly sgemm: Sgemm
  /** Calls another function of the library; undefined where it has none of that name. */
  readonly ask: (signature: string, ...parameters: number[]) => unknown
}

/** Variables that keep a BLAS from starting threads of its own, read when it is loaded or called first. */
const single = [
  "OPENBLAS_NUM_THREADS",
  "MKL_NUM_THREADS",
  "BLIS_NUM_THREADS",
  "OMP_NUM_THREADS",
  "VECLIB_MAXIMUM_THREADS"
]

const [rowMajor, asIs, transposed] = [101, 111, 112]

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

/** Loads a BLAS by path or name. Throws what the loader said. */
export const loadBlas = (path: string): Library => {
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi")
  const library = koffi.load(path)
  const sgemm = library.func(
    "void cblas_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, void *a, int lda, void *b, int ldb, float beta, void *c, int ldc)"
  )
  return {
    sgemm: {
      addressOf: (buffer) => Number(koffi.address(new Uint8Array(buffer))),
      call: (m, n, k, a, lda, transposeA, b, ldb, transposeB, beta, c, ldc) => {
        const [opA, opB] = [transposeA ? transposed : asIs, transposeB ? transposed : asIs]
        sgemm(rowMajor, opA, opB, m, n, k, 1, a, lda, b, ldb, beta, c, ldc)
      }
    },
    ask: (signature, ...parameters) => {
      try {
        return library.func(signature)(...parameters)
      } catch {
        return undefined
      }
    }
  }
}
