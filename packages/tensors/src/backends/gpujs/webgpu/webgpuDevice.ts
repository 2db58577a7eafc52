/**
 * Mode `webgpu`: tensors are storage buffers of the GPU, taken from a pool. GPU.js translates programs into WGSL; this device
 * builds and launches them, and kernels' own WGSL, many in one pass.
 */
import type { GPU } from "gpu.js"
import type { DeviceMemory } from "../../../core/Backend.ts"
import { elementBytes } from "../../../core/DType.ts"
import { BackendUnavailable, KernelFailure, OutOfMemory } from "../../../core/Errors.ts"
import { type Device, makeMeter } from "../Device.ts"
import type { GpujsProgram, Thread, Values } from "../GpujsBody.ts"
import { makeBindGroups } from "./bindGroups.ts"
import { makeBufferPool, pooledOverhead } from "./bufferPool.ts"
import { conversion } from "./conversion.ts"
import { findDeviceMemory } from "./deviceMemory.ts"
import { launchedProgram, type Stored } from "./launchedProgram.ts"
import { tellShape } from "./matrices.ts"
import { type DeviceOptions, type OpenedDevice, openDevice } from "./openDevice.ts"
import type { PooledBuffer } from "./PooledBuffer.ts"
import { bytesOfWords, type Kind, kindOf } from "./packing.ts"
import { makeReadBack } from "./readBack.ts"
import { makeRecorder } from "./recorder.ts"
import { makeWgslLauncher } from "./wgslLauncher.ts"

const storageUsage = 0x80 | 0x04 | 0x08 // STORAGE, COPY_SRC, COPY_DST

/** What buffers that no tensor uses may take at least, beyond what was in use at the most: WebGPU tells no size of a memory. */
const spareBytes = 2 ** 28

/** Launches that are handed to the device together. */
const launchesOfBatch = 64

interface WebgpuOptions {
  /** Hands every launch over alone, so that an error names its kernel. */
  readonly debug: boolean
  /** Runs kernels by their own WGSL where they have some. */
  readonly wgsl: boolean
  /** Bytes that tensors may take, where that is said. */
  readonly memory?: number | undefined
}

function increment(this: Thread, x: Values) {
  return x[this.thread.x] + 1
}

/** Runs one program, which proves that the adapter computes. */
const probe = async ({ name, compile, upload, download, release }: Device<Stored>): Promise<void> => {
  const program: GpujsProgram = { output: "y", compute: increment, reads: ["x"], extent: [2] }
  const x = upload(Float32Array.of(1, 41))
  const compiled = compile("probe", program)
  const y = await compiled.run(program, [x])
  const values = await download(y)
  if (values[1] !== 42) throw new BackendUnavailable(name, `41 + 1 gave ${values[1]} on this adapter`)
  for (const stored of [x, y]) release(stored)
  compiled.destroy()
}

/** The error of a batch: its kernel where it is one. */
const refusal = (kernels: readonly string[], message: string): Error => {
  const [first = "a copy", ...others] = kernels
  if (others.length === 0) return new KernelFailure(first, message)
  const reason = `${message} (or one of ${others.join(", ")}, launched together with it; --debug launches each alone)`
  return new KernelFailure(first, reason)
}

/** The mode over a device that is open. */
export const makeWebgpuDevice = (
  Gpu: typeof GPU,
  { mode, device, facts, adapter, matrices, ...watch }: OpenedDevice,
  { debug, wgsl, memory: given }: WebgpuOptions
): Device<Stored> => {
  const gpu = new Gpu({ mode: "webgpu" })
  const { limits } = device
  const maxBytes = Math.min(limits.maxStorageBufferBindingSize, limits.maxBufferSize)
  const meter = makeMeter()
  let failure: Error | undefined
  /** Bytes of the buffer that was made last: the one that had no room. */
  let newest = 0
  const onError = ({ error }: GPUUncapturedErrorEvent) => {
    const full = error.constructor.name === "GPUOutOfMemoryError"
    const { bytes } = meter.usage()
    failure ??= full ? new OutOfMemory(mode, newest, bytes, undefined) : new BackendUnavailable(mode, error.message)
  }
  device.addEventListener("uncapturederror", onError)

  const recorder = makeRecorder(device, {
    launches: debug ? 1 : launchesOfBatch,
    refused: (kernels, message) => {
      failure ??= refusal(kernels, message)
    }
  })
  const groups = makeBindGroups(device, {
    uniforms: recorder.uniforms,
    refused: (kernel, message) => {
      failure ??= refusal([kernel], message)
    }
  })
  const reads = makeReadBack(device, recorder, watch.orLost)
  let knownBytes: number | undefined
  const findMemory = async (): Promise<DeviceMemory> => {
    const found = await findDeviceMemory(facts, { given })
    knownBytes = found.bytes
    return found
  }
  let memory: Promise<DeviceMemory> | undefined
  let made = 0
  const pool = makeBufferPool<PooledBuffer>({
    create: (size) => {
      newest = size
      return { gpu: device.createBuffer({ size, usage: storageUsage }), size, id: made++, usedIn: 0 }
    },
    destroy: (buffer) => {
      recorder.letGo(buffer)
      buffer.gpu.destroy()
    },
    spareBytes,
    most: maxBytes,
    limit: () => knownBytes
  })
  const take = (length: number, kind: Kind = "f32"): Stored => {
    const buffer = pool.take(Math.max(4, bytesOfWords(kind, length)))
    meter.add(buffer.size)
    return { buffer, length, kind }
  }
  const write = (stored: Stored, words: Float32Array | Uint8Array): Stored => {
    recorder.letGo(stored.buffer)
    device.queue.writeBuffer(stored.buffer.gpu, 0, words as typeof words & ArrayBufferView<ArrayBuffer>)
    return stored
  }
  const upload = (values: Float32Array): Stored => write(take(values.length), values)
  const download = async ({ buffer, length, kind }: Stored): Promise<Uint8Array> => {
    if (length === 0) return new Uint8Array(0)
    const bytes = await reads.read(buffer, bytesOfWords(kind, length)).catch((error: Error) => {
      watch.assertThere()
      throw new BackendUnavailable(mode, error.message)
    })
    await watch.orLost(recorder.settled())
    const failed = takeFailure()
    if (failed) throw failed
    return bytes
  }
  const release = ({ buffer }: Stored) => {
    meter.remove(buffer.size)
    pool.give(buffer)
  }
  const takeFailure = () => {
    const taken = failure
    failure = undefined
    return taken
  }
  const context = { mode, gpu, device, recorder, groups, take, upload, release, watch }
  const { run } = makeWgslLauncher(context)
  return {
    name: `${mode} (${adapter}${matrices ? `, f16 matrices of ${tellShape(matrices)}` : ""})`,
    hardware: {
      adapter,
      largestBytes: maxBytes,
      overhead: pooledOverhead,
      memory: () => {
        memory ??= findMemory()
        return memory
      }
    },
    elementBytes: (dtype) => elementBytes(kindOf(dtype)),
    maxElements: (dtype) => Math.min(2 ** 31 - 1, Math.floor(maxBytes / elementBytes(kindOf(dtype)))),
    fixed: false,
    upload,
    zeros: (length, dtype = "f32") => {
      const stored = take(length, kindOf(dtype))
      recorder.clear(stored.buffer)
      return stored
    },
    download: async (stored) => {
      const { buffer, byteOffset } = await download(stored)
      return new Float32Array(buffer, byteOffset, stored.length)
    },
    packed: {
      upload: (kind, length, bytes) => write(take(length, kind), bytes),
      download,
      pack: (kernel, kind, values) => {
        const target = take(values.length, kind)
        const end = () => {
          release(values)
          return target
        }
        const later = run(kernel, conversion(kind, values.length), [values], [target])
        return later instanceof Promise ? later.then(end) : end()
      }
    },
    release,
    compile: (kernel, program) => launchedProgram(context, kernel, program),
    ...(wgsl ? { wgsl: { take: (length, dtype) => take(length, kindOf(dtype)), run, matrices } } : {}),
    usage: meter.usage,
    assertThere: watch.assertThere,
    takeFailure,
    trim: () => {
      groups.clear()
      pool.clear()
    },
    close: async () => {
      device.removeEventListener("uncapturederror", onError)
      await gpu.destroy()
      reads.close()
      pool.clear()
      recorder.close()
      device.destroy()
    }
  }
}

/** Raises BackendUnavailable when Dawn or an adapter is missing, or does not compute. */
export const startWebgpu = async (
  Gpu: typeof GPU,
  { mode, software, ...options }: WebgpuOptions & DeviceOptions
): Promise<Device<Stored>> => {
  const device = makeWebgpuDevice(Gpu, await openDevice({ mode, software }), options)
  try {
    await probe(device)
    return device
  } catch (error) {
    await device.close()
    throw error
  }
}
