/**
 * oneDNN, whose f32 products beat OpenBLAS's on Intel's newer processors and which multiplies bf16 by their tiles (AMX).
 */
import { createRequire } from "node:module"
import { multipliesTiles, readProcessor } from "../processor.ts"
import { ask, type Gemm, type Interface } from "./Library.ts"

const [asIs, transposed] = ["N", "T"].map((letter) => letter.charCodeAt(0))

export const onednn: Interface = (library) => {
  const gemm = (name: string): Gemm => {
    const call = library.func(
      `int ${name}(char transA, char transB, int64_t m, int64_t n, int64_t k, float alpha, void *a, int64_t lda, void *b, int64_t ldb, float beta, void *c, int64_t ldc)`
    )
    return (m, n, k, a, lda, transposeA, b, ldb, transposeB, beta, c, ldc) => {
      const [opA, opB] = [transposeA ? transposed : asIs, transposeB ? transposed : asIs]
      const status: number = call(opA, opB, m, n, k, 1, a, lda, b, ldb, beta, c, ldc)
      if (status !== 0) throw new Error(`${name} of oneDNN returned ${status} for ${m}x${k} by ${k}x${n}`)
    }
  }
  const version = ask(library, "void *dnnl_version()")
  if (version === undefined) return undefined
  // OpenMP counts threads for each thread that calls; a build of oneDNN on another runtime has no such function.
  ask(library, "void omp_set_num_threads(int threads)", 1)
  const koffi = createRequire(import.meta.url)("koffi") as typeof import("koffi")
  const numbers = koffi.decode(version, "int", 3) as readonly number[]
  const tiles = multipliesTiles(readProcessor())
  const name = `oneDNN ${Array.from(numbers).join(".")}`
  return {
    name,
    configuration: tiles ? `${name}, 16-bit weights by AMX` : name,
    products: { f32: gemm("dnnl_sgemm"), bf16: tiles ? gemm("dnnl_gemm_bf16bf16f32") : undefined }
  }
}
