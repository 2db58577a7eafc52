/**
 * oneDNN's product of bf16 matrices, by the processor's tiles (AMX) or by AVX-512-BF16. Its product of f32 is left alone although it
 * is faster than OpenBLAS's: with AVX-512, version 2.6 takes the stack pointer for itself, and a signal that arrives meanwhile (Ctrl-C,
 * a profiler) breaks the heap of the process. Those of bf16 keep the stack: of 67,000 signals none came beside it.
 */
import { requireKoffi } from "../../../optionalPackages.ts"
import { ask, type Interface } from "./Products.ts"

const [asIs, transposed] = ["N", "T"].map((letter) => letter.charCodeAt(0))

export const onednn: Interface = (library) => {
  const gemm = library.func(
    "int dnnl_gemm_bf16bf16f32(char transA, char transB, int64_t m, int64_t n, int64_t k, float alpha, void *a, int64_t lda, void *b, int64_t ldb, float beta, void *c, int64_t ldc)"
  )
  // OpenMP counts threads for each thread that calls; a build of oneDNN on another runtime has no such function.
  ask(library, "void omp_set_num_threads(int threads)", 1)
  const version = requireKoffi("native").decode(library.func("void *dnnl_version()")(), "int", 3) as ArrayLike<number>
  const name = `oneDNN ${Array.from(version).join(".")}`
  return {
    name,
    configuration: name,
    gemm: (m, n, k, a, lda, transposeA, b, ldb, transposeB, beta, c, ldc) => {
      const [opA, opB] = [transposeA ? transposed : asIs, transposeB ? transposed : asIs]
      const status: number = gemm(opA, opB, m, n, k, 1, a, lda, b, ldb, beta, c, ldc)
      if (status !== 0) throw new Error(`oneDNN's product of ${m}x${k} by ${k}x${n} returned ${status}`)
    }
  }
}
