/** A backend that counts the time of every kernel, by phase of the work: for backends that are done when `run` returns. */
import type { Backend } from "@speedq/tensors"

export interface Spent {
  readonly phase: string
  readonly kernel: string
  ms: number
  calls: number
  /** Floating-point operations by the kernels' own formulas. */
  flops: number
}

export interface Profile {
  readonly backend: Backend
  /** What follows belongs to this phase; to none: it is not counted. */
  readonly enter: (phase: string | undefined) => void
  /** Since the last reset, one entry a phase and kernel. */
  readonly spent: () => readonly Spent[]
  readonly reset: () => void
}

/** The kernels that multiply matrices; attention multiplies too, but is counted apart. */
export const isProduct = ({ kernel }: Spent): boolean => /^(linear|matmul|matmulInto)$/.test(kernel)

export const profiled = (inner: Backend): Profile => {
  const entries = new Map<string, Spent>()
  let current: string | undefined = "other"
  const shapesOf = (operands: { readonly [name: string]: { readonly shape: readonly number[] } | undefined }) =>
    Object.fromEntries(Object.entries(operands).flatMap(([name, operand]) => (operand ? [[name, operand.shape]] : [])))
  const entryOf = (phase: string, kernel: string): Spent => {
    const key = `${phase}/${kernel}`
    const entry = entries.get(key) ?? { phase, kernel, ms: 0, calls: 0, flops: 0 }
    entries.set(key, entry)
    return entry
  }
  const backend: Backend = {
    ...inner,
    // Calls that share a task cannot be told apart: those that are counted run one after the other.
    together: (calls) => (current === undefined && inner.together !== undefined ? inner.together(calls) : calls()),
    run: (kernel, call) => {
      const phase = current
      if (phase === undefined) return inner.run(kernel, call)
      const start = performance.now()
      inner.run(kernel, call)
      const ms = performance.now() - start
      const geometry = { inputs: shapesOf(call.inputs), outputs: shapesOf(call.outputs) }
      const entry = entryOf(phase, kernel.name)
      entry.ms += ms
      entry.calls++
      entry.flops += kernel.cost(geometry, call.attributes).flops
    }
  }
  return {
    backend,
    enter: (phase) => {
      current = phase
    },
    spent: () => [...entries.values()],
    reset: () => entries.clear()
  }
}

/** Seconds and other sums by some property of what was spent, largest first. */
export const sumBy = <T>(
  spent: readonly Spent[],
  groupOf: (entry: Spent) => string,
  value: (group: readonly Spent[]) => T,
  order: (group: readonly Spent[]) => number = secondsOf
): { readonly [group: string]: T } => {
  const groups = new Map<string, Spent[]>()
  for (const entry of spent) groups.set(groupOf(entry), [...(groups.get(groupOf(entry)) ?? []), entry])
  const sorted = [...groups].sort(([, a], [, b]) => order(b) - order(a))
  return Object.fromEntries(sorted.map(([name, group]) => [name, value(group)]))
}

export const secondsOf = (spent: readonly Spent[]): number => spent.reduce((sum, { ms }) => sum + ms, 0) / 1000
export const flopsOf = (spent: readonly Spent[]): number => spent.reduce((sum, { flops }) => sum + flops, 0)

/** Milliseconds, calls and speed of each kernel. */
export const byKernel = (spent: readonly Spent[]) =>
  sumBy(
    spent,
    ({ kernel }) => kernel,
    (group) => ({
      ms: Math.round(1e4 * secondsOf(group)) / 10,
      calls: group.reduce((sum, { calls }) => sum + calls, 0),
      gflops: Math.round(flopsOf(group) / secondsOf(group) / 1e9)
    })
  )
