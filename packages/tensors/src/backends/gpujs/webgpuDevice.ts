/**
 * Mode `webgpu`: tensors are storage buffers of the GPU, taken from a pool and handed to GPU.js as its own pipeline results.
 * GPU.js would make a buffer for every call and keep each program's last one; here a program gets the buffer to write into.
 */
import type { GPU } from "gpu.js"
import { BackendUnavailable, OutOfMemory } from "../../core/Errors.ts"
import { sizeOf } from "../../core/Shape.ts"
import { makeBufferPool } from "./bufferPool.ts"
import { assertMode, createProgram } from "./createProgram.ts"
import { type CompiledProgram, type Device, makeMeter } from "./Device.ts"
import type { GpujsProgram, Thread, Values } from "./GpujsBody.ts"
import { provideWebgpu } from "./provideWebgpu.ts"

const name = "gpujs:webgpu"
const storageUsage = 0x80 | 0x04 | 0x08 // STORAGE, COPY_SRC, COPY_DST
const stagingUsage = 0x01 | 0x08 // MAP_READ, COPY_DST

/** A program writes into the buffer that it is given, so GPU.js must not replace that as it would for immutable results. */
const settings = { operandType: "Array", fixed: false, more: { pipeline: true, immutable: false } } as const

/** GPU.js's name for a result that stays on the device; arguments are recognized by this class. */
interface PipelineResult {
  toArray(): Promise<Float32Array>
  delete(): void
}
type PipelineResultClass = new (settings: {
  readonly buffer: GPUBuffer
  readonly output: readonly number[]
  readonly context: Context
  readonly kernel: unknown
}) => PipelineResult

interface Context {
  readonly device: GPUDevice
  readonly adapter: GPUAdapter
  readonly isLost: boolean
}

/** What is used of a WebGPU kernel beyond its public face, in gpu.js 2.24. */
interface WebgpuKernel {
  readonly context: Context
  readonly built: boolean
  outputBuffer: (GPUBuffer & { _refs: number }) | null
  bindGroupDirty: boolean
  build(...parameters: unknown[]): Promise<void>
  setOutput(extent: number[]): void
  run(...parameters: unknown[]): Promise<unknown>
}

interface Stored {
  readonly buffer: GPUBuffer
  readonly length: number
  readonly argument: PipelineResult
}

interface WebgpuOptions {
  /** Whether an adapter that is a program rather than a GPU will do. */
  readonly software: boolean
  /** Released buffers kept for the next tensors, default 1 GiB. */
  readonly idleBytes?: number
}

function increment(this: Thread, x: Values) {
  return x[this.thread.x] + 1
}

/** Runs one program, which proves that the adapter computes, and takes GPU.js's device and result class from it. */
const probe = async (gpu: GPU): Promise<{ readonly context: Context; readonly Result: PipelineResultClass }> => {
  const program: GpujsProgram = { output: "y", compute: increment, reads: ["x"], extent: [2] }
  const shortcut = createProgram(gpu, "probe", program, settings)
  const result = (await shortcut(Float32Array.of(1, 41))) as unknown as PipelineResult
  assertMode(shortcut, "webgpu", "probe")
  const values = await result.toArray()
  if (values[1] !== 42) throw new BackendUnavailable(name, `41 + 1 gave ${values[1]} on this adapter`)
  result.delete()
  const { context } = shortcut.kernel as unknown as WebgpuKernel
  shortcut.destroy()
  return { context, Result: result.constructor as PipelineResultClass }
}

/** Raises BackendUnavailable when Dawn or an adapter is missing. */
export const makeWebgpuDevice = async (
  Gpu: typeof GPU,
  { software, idleBytes = 2 ** 30 }: WebgpuOptions
): Promise<Device<Stored>> => {
  await provideWebgpu()
  if (!(await Gpu.isWebGPUAvailable())) {
    throw new BackendUnavailable(
      name,
      "WebGPU found no adapter; install the GPU's Vulkan driver and the loader libvulkan.so.1 (Debian: libvulkan1), or see docs/webgpu.md for a software adapter"
    )
  }
  const gpu = new Gpu({ mode: "webgpu" })
  const { context, Result } = await probe(gpu)
  const { device, adapter } = context
  const { info } = adapter
  const adapterName = [info.vendor, info.architecture, info.description].filter(Boolean).join(", ")
  if (info.isFallbackAdapter && !software) {
    await gpu.destroy()
    throw new BackendUnavailable(name, `the adapter (${adapterName}) is software, slower than the native backend`)
  }
  const limits = device.limits
  const maxBytes = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize)
  const meter = makeMeter()
  const pool = makeBufferPool((size) => device.createBuffer({ size, usage: storageUsage }), {
    idleBytes,
    most: maxBytes
  })
  let failure: Error | undefined
  const onError = ({ error }: GPUUncapturedErrorEvent) => {
    const full = error.constructor.name === "GPUOutOfMemoryError"
    const { bytes } = meter.usage()
    failure ??= full ? new OutOfMemory(name, bytes, bytes, maxBytes) : new BackendUnavailable(name, error.message)
  }
  device.onuncapturederror = null // GPU.js would only print it
  device.addEventListener("uncapturederror", onError)

  const wrap = (buffer: GPUBuffer, length: number): Stored => ({
    buffer,
    length,
    argument: new Result({ buffer, output: [length], context, kernel: undefined })
  })
  const take = (length: number): Stored => {
    const buffer = pool.take(Math.max(4, 4 * length))
    meter.add(buffer.size)
    return wrap(buffer, length)
  }

  const release = ({ buffer }: Stored) => {
    meter.remove(buffer.size)
    pool.give(buffer)
  }

  const compile = (kernel: string, program: GpujsProgram): CompiledProgram<Stored> => {
    const bindings = program.reads.length + Object.keys(program.tables ?? {}).length + 1
    const most = limits.maxStorageBuffersPerShaderStage
    if (bindings > most) throw new Error(`it needs ${bindings} storage buffers, the device binds ${most}`)
    const shortcut = createProgram(gpu, kernel, program, settings)
    const inner = shortcut.kernel as unknown as WebgpuKernel
    return {
      run: async ({ scalars = [], sizes = {}, extent }, operands) => {
        if (context.isLost) throw new BackendUnavailable(name, "the GPU device was lost; start the backend again")
        const parameters = [...operands.map(({ argument }) => argument), ...scalars, ...Object.values(sizes)]
        if (!inner.built) {
          await inner.build(...parameters)
          assertMode(shortcut, "webgpu", kernel)
          inner.outputBuffer?.destroy()
        }
        const stored = take(sizeOf(extent))
        inner.setOutput([...extent])
        inner.outputBuffer = Object.assign(stored.buffer, { _refs: 1 })
        inner.bindGroupDirty = true
        try {
          await inner.run(...parameters)
          return stored
        } catch (error) {
          release(stored)
          throw error
        } finally {
          inner.outputBuffer = null
        }
      },
      destroy: () => shortcut.destroy()
    }
  }

  return {
    name: `${name} (${adapterName})`,
    elementBytes: 4,
    maxElements: Math.min(2 ** 31 - 1, Math.floor(maxBytes / 4)),
    fixed: false,
    upload: (values) => {
      const stored = take(values.length)
      device.queue.writeBuffer(stored.buffer, 0, values as Float32Array<ArrayBuffer>)
      return stored
    },
    download: async ({ buffer, length }) => {
      if (length === 0) return new Float32Array(0)
      const staging = device.createBuffer({ size: 4 * length, usage: stagingUsage })
      try {
        const encoder = device.createCommandEncoder()
        encoder.copyBufferToBuffer(buffer, 0, staging, 0, 4 * length)
        device.queue.submit([encoder.finish()])
        await staging.mapAsync(1)
        return new Float32Array(staging.getMappedRange().slice(0))
      } finally {
        staging.destroy()
      }
    },
    release,
    compile,
    usage: meter.usage,
    takeFailure: () => {
      const taken = failure
      failure = undefined
      return taken
    },
    close: async () => {
      device.removeEventListener("uncapturederror", onError)
      await gpu.destroy()
      pool.clear()
    }
  }
}
