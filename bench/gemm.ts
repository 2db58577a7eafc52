/**
 * Matrix products: the native backend, its WebAssembly product, and the same BLAS called directly through koffi in a process
 * of its own, with whatever threads it starts by itself.
 */
import { fork } from "node:child_process"
import { makeNativeBackend, matmul, type NativeBackend, type Tensor } from "@speedq/tensors"
import { alternate, type Flags, machine, normal, sustained, timed } from "./measure.ts"

export interface Product {
  readonly m: number
  readonly k: number
  readonly n: number
  readonly transA: boolean
  readonly transB: boolean
}

/** InternVL3-1B: forward, gradient of the input and of the weight of its Linears, a ViT MLP, the vocabulary; and a cube. */
const shapes: readonly Product[] = [
  { m: 512, k: 512, n: 512, transA: false, transB: false },
  { m: 512, k: 896, n: 896, transA: false, transB: true },
  { m: 512, k: 896, n: 4864, transA: false, transB: true },
  { m: 512, k: 4864, n: 896, transA: false, transB: true },
  { m: 512, k: 4864, n: 896, transA: false, transB: false },
  { m: 4864, k: 512, n: 896, transA: true, transB: false },
  { m: 896, k: 512, n: 4864, transA: true, transB: false },
  { m: 1025, k: 1024, n: 4096, transA: false, transB: true },
  { m: 64, k: 896, n: 151674, transA: false, transB: true }
]

const operands = (backend: NativeBackend, { m, k, n, transA, transB }: Product): readonly [Tensor, Tensor] => [
  normal(backend, transA ? [k, m] : [m, k]),
  normal(backend, transB ? [n, k] : [k, n])
]

/** Threads of an OpenBLAS that was left alone spin for a while after a product: they must not do so into our turn. */
const settleMs = 150

/** Asks the other process for the milliseconds of one product. */
const startDirect = (path: string) => {
  const child = fork(new URL("./directGemm.ts", import.meta.url), [path])
  const failed = new Promise<never>((_, reject) => {
    child.once("error", reject)
    child.once("exit", (code) => reject(new Error(`the process of direct products exited with ${code}`)))
  })
  const ask = (product: Product): Promise<number> => {
    const answer = new Promise<number>((resolve) => {
      child.once("message", (ms) => setTimeout(() => resolve(Number(ms)), settleMs))
    })
    child.send(product)
    return Promise.race([answer, failed])
  }
  const stop = () => {
    failed.catch(() => {})
    child.kill()
  }
  return { ask, stop }
}

export const gemm = async (flags: Flags) => {
  const options = flags.has("threads") ? { threads: flags.number("threads", 1) } : {}
  const native = await makeNativeBackend(options)
  const wasm = await makeNativeBackend({ ...options, blas: "none" })
  const { blas, simd, threads } = native.description
  const direct = blas && startDirect(blas.path)
  const rows: unknown[] = []
  for (const shape of shapes) {
    const { m, k, n, transA, transB } = shape
    const time = (backend: NativeBackend) => {
      const [a, b] = operands(backend, shape)
      const once = () => {
        let y: Tensor | undefined
        const ms = timed(() => {
          y = matmul(a, b, transA, transB)
        })
        y?.release()
        return ms
      }
      const run = () => sustained(once)
      const release = () => {
        a.release()
        b.release()
      }
      return { run, release }
    }
    const contestants = [time(native), time(wasm)]
    const runs: (() => number | Promise<number>)[] = contestants.map(({ run }) => run)
    if (direct) runs.push(() => direct.ask(shape))
    const [nativeMs, wasmMs, directMs] = await alternate(runs, flags.number("rounds", 5))
    for (const { release } of contestants) release()
    const gflops = (ms: number | undefined) => (ms === undefined ? null : (2 * m * k * n) / ms / 1e6)
    rows.push({ ...shape, gflops: gflops(nativeMs), blasGflops: gflops(directMs), wasmGflops: gflops(wasmMs) })
  }
  direct?.stop()
  await native.close()
  await wasm.close()
  return { case: "gemm", ...machine(), threads, simd, blas: blas?.configuration ?? null, rows }
}
