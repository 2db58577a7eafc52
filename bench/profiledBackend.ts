/** A backend that counts the time of every kernel: for backends that are done when `run` returns. */
import type { Backend } from "@speedq/tensors"

export interface KernelTimes {
  readonly backend: Backend
  /** Milliseconds and floating-point operations by kernel name since the last reset. */
  readonly times: Map<string, { ms: number; calls: number; flops: number }>
  readonly reset: () => void
}

export const profiled = (inner: Backend): KernelTimes => {
  const times = new Map<string, { ms: number; calls: number; flops: number }>()
  const shapesOf = (operands: { readonly [name: string]: { readonly shape: readonly number[] } | undefined }) =>
    Object.fromEntries(Object.entries(operands).flatMap(([name, operand]) => (operand ? [[name, operand.shape]] : [])))
  const backend: Backend = {
    ...inner,
    run: (kernel, call) => {
      const start = performance.now()
      inner.run(kernel, call)
      const ms = performance.now() - start
      const geometry = { inputs: shapesOf(call.inputs), outputs: shapesOf(call.outputs) }
      const entry = times.get(kernel.name) ?? { ms: 0, calls: 0, flops: 0 }
      entry.ms += ms
      entry.calls++
      entry.flops += kernel.cost(geometry, call.attributes).flops
      times.set(kernel.name, entry)
    }
  }
  return { backend, times, reset: () => times.clear() }
}
