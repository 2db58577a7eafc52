/**
 * Products and a few other kernels through GPU.js, for a machine with a GPU: one JSON document with what WebGPU says of the
 * adapter, the mode that ran, GFLOP/s on shapes of InternVL3-1B, and every kernel's samples checked against the reference.
 *
 *   node --import tsx -C @speedq/source bench/gpujsProducts.ts [--mode webgpu] [--repeat 10] [--largest GFLOP] [--skip-check]
 *   npx esbuild bench/gpujsProducts.ts --bundle --platform=node --format=esm --conditions=@speedq/source \
 *     --external:webgpu --external:gl --external:koffi --outfile=gpujsProducts.mjs
 */
import { arch, cpus, release } from "node:os"
import { parseArgs } from "node:util"
import {
  adamStep,
  type Backend,
  crossEntropyRows,
  fakeQuantBilevel,
  gatherRows,
  gelu,
  makeGpujsBackend,
  matmul,
  Random,
  rmsNorm,
  type Shape,
  sizeOf,
  softmax,
  type Tensor,
  tensor,
  zeros
} from "@speedq/tensors"
import { checkKernels } from "./gpujsCheck.ts"

const { values: flags } = parseArgs({
  options: {
    mode: { type: "string", default: "webgpu" },
    repeat: { type: "string", default: "10" },
    largest: { type: "string", default: "Infinity" },
    "skip-check": { type: "boolean", default: false }
  }
})
const modes = ["webgpu", "headlessgl", "webasm", "cpu"] as const
const mode = modes.find((known) => known === flags.mode)
if (mode === undefined) throw new Error(`--mode ${flags.mode}: known are ${modes.join(", ")}`)
const repeat = Number(flags.repeat)

/** Products m x k x n of one training step: forward, gradient of the input, gradient of the weight; ViT; vocabulary. */
const shapes = [
  { name: "cube", m: 512, k: 512, n: 512, transA: false, transB: false },
  { name: "cube", m: 2048, k: 2048, n: 2048, transA: false, transB: false },
  { name: "q_proj", m: 512, k: 896, n: 896, transA: false, transB: true },
  { name: "up_proj", m: 512, k: 896, n: 4864, transA: false, transB: true },
  { name: "down_proj", m: 512, k: 4864, n: 896, transA: false, transB: true },
  { name: "down_proj, input", m: 512, k: 896, n: 4864, transA: false, transB: false },
  { name: "down_proj, weight", m: 896, k: 512, n: 4864, transA: true, transB: false },
  { name: "ViT fc1", m: 1025, k: 1024, n: 4096, transA: false, transB: true },
  { name: "lm_head", m: 512, k: 896, n: 151674, transA: false, transB: true }
]

/** The GPU as WebGPU describes it; null in modes without one. */
const adapterOf = async (): Promise<object | null> => {
  const { navigator } = globalThis as { navigator?: { gpu?: GPU } }
  const adapter = mode === "webgpu" ? await navigator?.gpu?.requestAdapter() : undefined
  if (!adapter) return null
  const { vendor, architecture, device, description, isFallbackAdapter } = adapter.info
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension } = adapter.limits
  const limits = { maxBufferSize, maxStorageBufferBindingSize, maxComputeWorkgroupsPerDimension }
  return { vendor, architecture, device, description, isFallbackAdapter, limits }
}

const random = Random.make(1, "gpujsProducts")
const numbers = (backend: Backend, shape: Shape, spread = 1): Tensor =>
  tensor(
    backend,
    Float32Array.from({ length: sizeOf(shape) }, () => spread * (2 * random.nextUniform() - 1)),
    shape
  )

/** Median milliseconds of `work`, which enqueues and releases what it makes; the GPU is waited for by a read behind it. */
const medianOf = async (backend: Backend, work: () => void): Promise<number> => {
  const flag = zeros(backend, [1])
  const round = async (): Promise<number> => {
    const start = performance.now()
    work()
    await flag.read()
    return performance.now() - start
  }
  await round()
  await round()
  const times: number[] = []
  for (let i = 0; i < repeat; i++) times.push(await round())
  flag.release()
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!
}

/** Largest error of a few elements of y = a b, over the sum of magnitudes that went into each. */
const errorOf = async (y: Tensor, a: Tensor, b: Tensor, { m, k, n, transA, transB }: (typeof shapes)[number]) => {
  const rows = [0, Math.floor(m / 2), m - 1]
  const index = tensor(y.backend, rows, [rows.length], "i32")
  const picked = gatherRows(y, index)
  const [values, left, right] = [await picked.read(), await a.read(), await b.read()]
  let worst = 0
  for (const [i, row] of rows.entries()) {
    for (let column = 0; column < n; column += Math.ceil(n / 37)) {
      let sum = 0
      let size = 0
      for (let t = 0; t < k; t++) {
        const term = left[transA ? t * m + row : row * k + t]! * right[transB ? column * k + t : t * n + column]!
        sum += term
        size += Math.abs(term)
      }
      worst = Math.max(worst, Math.abs(values[i * n + column]! - sum) / size)
    }
  }
  index.release()
  picked.release()
  return worst
}

const productRow = async (backend: Backend, shape: (typeof shapes)[number]) => {
  const { m, k, n, transA, transB } = shape
  const a = numbers(backend, transA ? [k, m] : [m, k])
  const b = numbers(backend, transB ? [n, k] : [k, n])
  try {
    const ms = await medianOf(backend, () => matmul(a, b, transA, transB).release())
    const y = matmul(a, b, transA, transB)
    const relativeError = await errorOf(y, a, b, shape)
    y.release()
    return { ...shape, ms, gflops: (2 * m * k * n) / ms / 1e6, relativeError }
  } catch (error) {
    return { ...shape, error: String(error) }
  } finally {
    a.release()
    b.release()
  }
}

/** Memory-bound kernels: milliseconds and the bytes of their operands and results each second. */
const kernelRows = async (backend: Backend) => {
  const x = numbers(backend, [4096, 4096])
  const weight = numbers(backend, [4096])
  const matrix = numbers(backend, [4864, 896], 0.02)
  const logits = numbers(backend, [64, 151674], 4)
  const labels = tensor(
    backend,
    Array.from({ length: 64 }, (_, i) => i * 1000),
    [64],
    "i32"
  )
  const ones = tensor(backend, new Array<number>(64).fill(1), [64])
  const [gradient, m, v] = [zeros(backend, logits.shape), zeros(backend, x.shape), zeros(backend, x.shape)]
  const bilevel = { bits: 2, group: 16, scaleGroup: 16, secondLevel: "f32", commonScale: "exact" } as const
  const step = {
    learningRate: 1e-5,
    beta1: 0.9,
    beta2: 0.999,
    epsilon: 1e-8,
    weightDecay: 0.01,
    decoupled: true,
    step: 1
  }
  const works: readonly (readonly [string, number, () => void])[] = [
    ["gelu 4096x4096", 8 * x.size, () => gelu(x).release()],
    ["rmsNorm 4096x4096", 8 * x.size, () => rmsNorm(x, weight, 1e-6).release()],
    ["softmax 4096x4096", 8 * x.size, () => softmax(x).release()],
    ["adamStep 4096x4096", 28 * x.size, () => adamStep({ parameter: x, m, v, gradient: x }, step)],
    [
      "fakeQuantBilevel 4864x896 b2 g16",
      8 * matrix.size,
      () => fakeQuantBilevel(matrix, { ...bilevel, arithmetic: "f32" }).release()
    ],
    [
      "crossEntropyRows 64x151674 with gradient",
      12 * logits.size,
      () => crossEntropyRows(logits, labels, ones, { smoothing: 0.1 }, gradient).release()
    ]
  ]
  const rows: object[] = []
  for (const [kernel, bytes, work] of works) {
    const ms = await medianOf(backend, work)
    rows.push({ kernel, ms, gbPerSecond: bytes / ms / 1e6 })
  }
  return rows
}

const backend = await makeGpujsBackend({ mode })
const adapter = await adapterOf()
const products: object[] = []
for (const shape of shapes) {
  if (2e-9 * shape.m * shape.k * shape.n <= Number(flags.largest)) products.push(await productRow(backend, shape))
}
const kernels = await kernelRows(backend)
const check = flags["skip-check"] ? null : await checkKernels(backend)
const machine = { node: process.version, system: `${process.platform} ${arch()} ${release()}`, cpu: cpus()[0]?.model }
process.stdout.write(
  `${JSON.stringify({ backend: backend.name, adapter, machine, repeat, products, kernels, check }, null, 2)}\n`
)
await backend.close()
