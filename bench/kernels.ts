/** Memory-bound kernels on tensors past the cache, beside a plain copy on all threads in the same run. */
import { type Backend, makeNativeBackend, type Shape, type Tensor } from "@speedq/tensors"
import { copyKernel } from "./copyKernel.ts"
import { kernelCall, kernelNamed } from "./kernelCall.ts"
import { alternate, type Flags, machine, normal } from "./measure.ts"

interface Contest {
  readonly kernel: string
  readonly inputs: { readonly [name: string]: Shape }
  readonly attributes: object
}

const rows: Shape = [8192, 4096]
const adam = {
  learningRate: 8e-6,
  beta1: 0.9,
  beta2: 0.999,
  epsilon: 1e-8,
  weightDecay: 0.01,
  decoupled: true,
  step: 1000
}

const contests: readonly Contest[] = [
  { kernel: "add", inputs: { a: rows, b: rows }, attributes: {} },
  { kernel: "layerNorm", inputs: { x: rows, weight: [4096], bias: [4096] }, attributes: { epsilon: 1e-6 } },
  { kernel: "rmsNorm", inputs: { x: rows, weight: [4096] }, attributes: { epsilon: 1e-6 } },
  { kernel: "softmax", inputs: { x: rows }, attributes: {} },
  { kernel: "gelu", inputs: { x: rows }, attributes: {} },
  { kernel: "geluGradient", inputs: { x: rows, dy: rows }, attributes: {} },
  { kernel: "siluTimes", inputs: { gate: rows, up: rows }, attributes: {} },
  { kernel: "siluTimesGradient", inputs: { gate: rows, up: rows, dy: rows }, attributes: {} },
  { kernel: "adamStep", inputs: { parameter: rows, m: rows, v: rows, gradient: rows }, attributes: adam }
]

const positive = (backend: Backend, name: string, shape: Shape): Tensor => {
  const x = normal(backend, shape, name === "v" ? 1e-3 : 1)
  if (name !== "v") return x
  // A second moment is never negative.
  backend.fill(x.storage.handle, (bytes) => {
    const values = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / 4)
    for (let i = 0; i < values.length; i++) values[i] = Math.abs(values[i]!)
  })
  return x
}

export const kernels = async (flags: Flags) => {
  const backend = await makeNativeBackend(flags.has("threads") ? { threads: flags.number("threads", 1) } : {})
  const report: unknown[] = []
  const source = normal(backend, rows)
  const copy = kernelCall(backend, copyKernel, { x: source }, {})
  for (const { kernel, inputs, attributes } of contests) {
    const tensors = Object.fromEntries(
      Object.entries(inputs).map(([name, shape]) => [name, positive(backend, name, shape)])
    )
    const call = kernelCall(backend, kernelNamed(kernel), tensors, attributes)
    const [ms, copyMs] = await alternate([call.run, copy.run], flags.number("rounds", 5))
    for (const tensor of Object.values(tensors)) tensor.release()
    const gbPerSecond = call.bytes / ms! / 1e6
    report.push({ kernel, shape: rows, ms, gbPerSecond, copyGbPerSecond: copy.bytes / copyMs! / 1e6 })
  }
  const { threads, simd } = backend.description
  await backend.close()
  return { case: "kernels", ...machine(), threads, simd, rows: report }
}
