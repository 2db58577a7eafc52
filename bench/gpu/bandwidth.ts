/** Kernels that memory bounds: milliseconds, and the gigabytes of their operands and results each second. */
import {
  adamStep,
  type Backend,
  crossEntropyRows,
  fakeQuantBilevel,
  gelu,
  openBackend,
  rmsNorm,
  softmax,
  tensor,
  zeros
} from "@speedq/tensors"
import { normal } from "../measure.ts"
import type { Part } from "./report.ts"
import { millisecondsOf } from "./waiting.ts"

interface Work {
  readonly kernel: string
  readonly bytes: number
  readonly run: () => void
}

const worksOf = (backend: Backend, side: number, vocabulary: number): readonly Work[] => {
  const rows = 64
  const x = normal(backend, [side, side])
  const [m, v] = [zeros(backend, x.shape), zeros(backend, x.shape)]
  const weight = normal(backend, [side])
  const matrix = normal(backend, [side, 896], 0.02)
  const logits = normal(backend, [rows, vocabulary], 4)
  const gradient = zeros(backend, logits.shape)
  const labels = tensor(
    backend,
    Int32Array.from({ length: rows }, (_, i) => i),
    [rows],
    "i32"
  )
  const ones = tensor(backend, new Float32Array(rows).fill(1), [rows])
  const numbers = {
    learningRate: 1e-5,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0.01,
    decoupled: true,
    step: 1
  }
  const grid = {
    bits: 2,
    group: 16,
    scaleGroup: 16,
    secondLevel: "f32",
    commonScale: "exact",
    arithmetic: "f32"
  } as const
  return [
    { kernel: "gelu", bytes: 8 * x.size, run: () => gelu(x).release() },
    { kernel: "rmsNorm", bytes: 8 * x.size, run: () => rmsNorm(x, weight, 1e-6).release() },
    { kernel: "softmax", bytes: 8 * x.size, run: () => softmax(x).release() },
    { kernel: "adamStep", bytes: 28 * x.size, run: () => adamStep({ parameter: x, m, v, gradient: x }, numbers) },
    { kernel: "fakeQuantBilevel", bytes: 8 * matrix.size, run: () => fakeQuantBilevel(matrix, grid).release() },
    {
      kernel: "crossEntropyRows with gradient",
      bytes: 12 * logits.size,
      run: () => crossEntropyRows(logits, labels, ones, { smoothing: 0.1 }, gradient).release()
    }
  ]
}

export const bandwidth: Part = async (print, size) => {
  const backend = await openBackend("gpujs:webgpu")
  const [side, vocabulary, runs] = size === "small" ? [64, 512, 1] : [4096, 151674, 20]
  for (const { kernel, bytes, run } of worksOf(backend, side, vocabulary)) {
    const ms = await millisecondsOf(backend, runs, run)
    print({ kernel, bytes, ms, gigabytesPerSecond: bytes / ms / 1e6 })
  }
  await backend.close()
}
