/** The C interface of BLAS: OpenBLAS, MKL, BLIS, Accelerate. */
import { ask, type Interface } from "./Products.ts"

const [rowMajor, asIs, transposed] = [101, 111, 112]

export const cblas: Interface = (library, path) => {
  const sgemm = library.func(
    "void cblas_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, void *a, int lda, void *b, int ldb, float beta, void *c, int ldc)"
  )
  // A library that was loaded before, with threads, is told now.
  ask(library, "void openblas_set_num_threads(int threads)", 1)
  ask(library, "void MKL_Set_Num_Threads(int threads)", 1)
  ask(library, "void bli_thread_set_num_threads(int64_t threads)", 1)
  return {
    ...identify(path, (signature) => ask(library, signature)),
    gemm: (m, n, k, a, lda, transposeA, b, ldb, transposeB, beta, c, ldc) => {
      const [opA, opB] = [transposeA ? transposed : asIs, transposeB ? transposed : asIs]
      sgemm(rowMajor, opA, opB, m, n, k, 1, a, lda, b, ldb, beta, c, ldc)
    }
  }
}

const identify = (
  path: string,
  ask: (signature: string) => unknown
): { readonly name: string; readonly configuration: string } => {
  const openblas = ask("str openblas_get_config()")
  if (typeof openblas === "string") {
    const configuration = openblas.trim()
    return { name: configuration.split(" ").slice(0, 2).join(" "), configuration }
  }
  const blis = ask("str bli_info_get_version_str()")
  if (typeof blis === "string") return { name: `BLIS ${blis}`, configuration: `BLIS ${blis}` }
  if (/mkl/i.test(path)) return { name: "MKL", configuration: path }
  if (/Accelerate/.test(path)) return { name: "Accelerate", configuration: path }
  return { name: path, configuration: path }
}
