/** The other process of the gemm case: calls the BLAS through koffi as anyone would, and answers with milliseconds. */
import { createRequire } from "node:module"
import type { Product } from "./gemm.ts"
import { sustained, timed } from "./measure.ts"

const require = createRequire(new URL("../packages/tensors/package.json", import.meta.url))
const koffi = require("koffi") as typeof import("koffi")
const library = koffi.load(process.argv[2] ?? "")

type Multiply = (product: Product, a: Float32Array, b: Float32Array, c: Float32Array) => void

const [rowMajor, asIs, transposed] = [101, 111, 112]
const cblas = (): Multiply => {
  const sgemm = library.func(
    "void cblas_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, void *a, int lda, void *b, int ldb, float beta, void *c, int ldc)"
  )
  return ({ m, k, n, transA, transB }, a, b, c) => {
    const [opA, opB] = [transA ? transposed : asIs, transB ? transposed : asIs]
    sgemm(rowMajor, opA, opB, m, n, k, 1, a, transA ? m : k, b, transB ? k : n, 0, c, n)
  }
}

const onednn = (): Multiply => {
  const sgemm = library.func(
    "int dnnl_sgemm(char transA, char transB, int64_t m, int64_t n, int64_t k, float alpha, void *a, int64_t lda, void *b, int64_t ldb, float beta, void *c, int64_t ldc)"
  )
  const [plain, turned] = ["N".charCodeAt(0), "T".charCodeAt(0)]
  return ({ m, k, n, transA, transB }, a, b, c) => {
    const [opA, opB] = [transA ? turned : plain, transB ? turned : plain]
    sgemm(opA, opB, m, n, k, 1, a, transA ? m : k, b, transB ? k : n, 0, c, n)
  }
}

const multiply = /dnnl/.test(process.argv[2] ?? "") ? onednn() : cblas()
const numbers = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i))
let last = { key: "", a: new Float32Array(0), b: new Float32Array(0), c: new Float32Array(0) }

process.on("message", (product: Product) => {
  const { m, k, n } = product
  const key = JSON.stringify(product)
  if (key !== last.key) last = { key, a: numbers(m * k), b: numbers(k * n), c: new Float32Array(m * n) }
  const { a, b, c } = last
  const once = () => timed(() => multiply(product, a, b, c))
  process.send?.(sustained(once))
})
