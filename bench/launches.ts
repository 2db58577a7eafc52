/**
 * What a stage-3 step at InternVL3-1B shapes costs the host of a GPU, without a GPU: programs launched, bytes that they are bound
 * to, memory of the device, and milliseconds of the host over Dawn's null backend, which computes nothing.
 */
import { type Backend, type Handle, openBackend } from "@speedq/tensors"
import { type Flags, machine, median } from "./measure.ts"
import { type Counts, provideNullGpu } from "./nullGpu.ts"
import { qatStep } from "./qatStep.ts"

/** Tensors of a dtype and a shape that one kernel made, or the host (""), alive together. */
interface Alive {
  readonly by: string
  readonly dtype: string
  readonly shape: string
  count: number
  bytes: number
}

/** Counts the tensors that live; what kernels take between two launches of theirs is not among them. */
const watched = (backend: Backend) => {
  const makers = new WeakMap<Handle, string>()
  const live = new Set<Handle>()
  let [bytes, peak] = [0, 0]
  let atPeak: readonly Handle[] = []
  const watching: Backend = {
    ...backend,
    allocate: (spec, options) => {
      const handle = backend.allocate(spec, options)
      live.add(handle)
      bytes += handle.bytes
      if (bytes < peak) return handle
      // A step like the one before comes to the same peak: only then are they looked at.
      if (bytes === peak) atPeak = [...live]
      peak = bytes
      return handle
    },
    release: (handle) => {
      if (live.delete(handle)) bytes -= handle.bytes
      backend.release(handle)
    },
    run: (kernel, call) => {
      for (const { handle } of Object.values(call.outputs)) makers.set(handle, kernel.name)
      backend.run(kernel, call)
    }
  }
  /** What lives at the peak, the most bytes first. */
  const largest = (most: number): readonly Alive[] => {
    const kinds = new Map<string, Alive>()
    for (const handle of atPeak) {
      const [by, dtype, shape] = [makers.get(handle) ?? "", handle.dtype, handle.shape.join("x")]
      const key = `${by} ${dtype} ${shape}`
      const kind = kinds.get(key) ?? { by, dtype, shape, count: 0, bytes: 0 }
      kind.count++
      kind.bytes += handle.bytes
      kinds.set(key, kind)
    }
    return [...kinds.values()].sort((a, b) => b.bytes - a.bytes).slice(0, most)
  }
  return { backend: watching, largest, peakOfTensors: () => peak }
}

/** Weights are left as zeros: nothing computes with them. Positions and labels are looked at by the host. */
const unfilled = (backend: Backend): Backend => ({
  ...backend,
  fill: (handle, write) => {
    if (handle.dtype === "i32") backend.fill(handle, write)
  }
})

export const launches = async (flags: Flags) => {
  const options = {
    layers: flags.number("layers", 24),
    tokens: flags.number("tokens", 512),
    answer: flags.number("answer", 64),
    tiles: 0,
    bits: flags.number("bits", 2) as 2 | 4,
    group: flags.number("group", 16),
    scaleGroup: flags.number("scale-group", 16),
    rematerialize: flags.has("checkpoint"),
    states: "f32" as const
  }
  const steps = flags.number("steps", 7)
  const gpu = await provideNullGpu()
  const { backend, largest, peakOfTensors } = watched(unfilled(await openBackend("gpujs:webgpu")))
  const { step } = qatStep({ backend, enter: () => {}, spent: () => [], reset: () => {} }, options)
  const once = async (): Promise<void> => {
    const loss = step()
    await loss.item()
    loss.release()
  }
  // The first step compiles, the second fills the pool, the third binds what it found there; every later one is like the fourth.
  let counts: Counts | undefined
  await gpu.count(once)
  for (let warm = 0; warm < 3; warm++) counts = await gpu.count(once)
  const [wall, cpu]: [number[], number[]] = [[], []]
  for (let i = 0; i < steps; i++) {
    const [start, used] = [performance.now(), process.cpuUsage()]
    await once()
    wall.push(performance.now() - start)
    const { user, system } = process.cpuUsage(used)
    cpu.push((user + system) / 1000)
  }
  const { bytes, ...others } = counts!
  const report = {
    case: "launches",
    ...machine(),
    backend: backend.name,
    ...options,
    ...others,
    gigabytes: bytes / 1e9,
    peakGib: backend.usage().peakBytes / 2 ** 30,
    /** With the buffers that wait for the next tensors. */
    heldGib: gpu.mostHeld() / 2 ** 30,
    peakGibOfTensors: peakOfTensors() / 2 ** 30,
    /** Tensors alive when they are the most. */
    largest: largest(flags.number("largest", 12)).map(({ bytes, ...kind }) => ({ ...kind, gib: bytes / 2 ** 30 })),
    /** Medians of the steps; milliseconds on the wall, which a busy machine makes longer, and of processors. */
    hostMs: median(wall),
    hostCpuMs: median(cpu),
    leastCpuMs: Math.min(...cpu)
  }
  await backend.close()
  return report
}
