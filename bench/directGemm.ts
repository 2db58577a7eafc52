/** The other process of the gemm case: calls the BLAS through koffi as anyone would, and answers with milliseconds. */
import { createRequire } from "node:module"
import type { Product } from "./gemm.ts"
import { sustained, timed } from "./measure.ts"

const require = createRequire(new URL("../packages/tensors/package.json", import.meta.url))
const koffi = require("koffi") as typeof import("koffi")
const sgemm = koffi
  .load(process.argv[2] ?? "")
  .func(
    "void cblas_sgemm(int order, int transA, int transB, int m, int n, int k, float alpha, void *a, int lda, void *b, int ldb, float beta, void *c, int ldc)"
  )
const [rowMajor, asIs, transposed] = [101, 111, 112]

const numbers = (length: number) => Float32Array.from({ length }, (_, i) => Math.sin(i))
let last = { key: "", a: new Float32Array(0), b: new Float32Array(0), c: new Float32Array(0) }

process.on("message", (product: Product) => {
  const { m, k, n, transA, transB } = product
  const key = JSON.stringify(product)
  if (key !== last.key) last = { key, a: numbers(m * k), b: numbers(k * n), c: new Float32Array(m * n) }
  const { a, b, c } = last
  const [opA, opB] = [transA ? transposed : asIs, transB ? transposed : asIs]
  const once = () => timed(() => sgemm(rowMajor, opA, opB, m, n, k, 1, a, transA ? m : k, b, transB ? k : n, 0, c, n))
  process.send?.(sustained(once))
})
