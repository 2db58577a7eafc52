/** The GPU itself: an adapter, and a device with all that it offers. */
import { isOwnDawn, provideWebgpu } from "#system/webgpu"
import { BackendUnavailable } from "../../../core/Errors.ts"
import { type AdapterFacts, adapterFacts, adapterName } from "./adapterFacts.ts"
import {
  isMatrixMode,
  type Matrices,
  type MatrixAdapter,
  type MatrixMode,
  matricesOf,
  matrixFeatures
} from "./matrices.ts"
import { type DeviceWatch, watchDevice } from "./watchDevice.ts"

export interface DeviceOptions {
  readonly mode: "webgpu" | MatrixMode
  /** Whether an adapter that is a program rather than a GPU will do. */
  readonly software: boolean
}

export interface OpenedDevice extends DeviceWatch {
  /** The backend, for example "gpujs:webgpu". */
  readonly mode: string
  readonly device: GPUDevice
  readonly facts: AdapterFacts
  /** The adapter's class in words, for example "nvidia, hopper, nvidia-h200, Vulkan, NVIDIA 550.54". */
  readonly adapter: string
  /** What multiplies f16, in a mode that asks for it. */
  readonly matrices?: Matrices | undefined
}

/** What the spec promises everywhere is little: a binding of 128 MiB, 8 storage buffers. A device has it only where asked. */
const wanted = ["maxStorageBufferBindingSize", "maxBufferSize", "maxStorageBuffersPerShaderStage"] as const

export const requestAdapter = (gpu: GPU): Promise<GPUAdapter | null> => gpu.requestAdapter().catch(() => null)

/**
 * Raises BackendUnavailable when Dawn or an adapter is missing, when it is a program rather than a GPU and `software` is false, or when
 * it lacks the matrices that the mode asks for.
 */
export const openDevice = async ({ mode: asked, software }: DeviceOptions): Promise<OpenedDevice> => {
  const mode = `gpujs:${asked}`
  const gpu = await provideWebgpu(mode, isMatrixMode(asked))
  const adapter = await requestAdapter(gpu)
  if (adapter === null) {
    throw new BackendUnavailable(
      mode,
      "WebGPU found no adapter; install the GPU's Vulkan driver and the loader libvulkan.so.1 (Debian: libvulkan1), or see docs/webgpu.md for a software adapter"
    )
  }
  const { info, limits } = adapter
  const facts = adapterFacts(info, { byDawn: isOwnDawn(gpu) })
  const called = adapterName(facts)
  if (info.isFallbackAdapter && !software) {
    throw new BackendUnavailable(mode, `the adapter (${called}) is software, slower than the native backend`)
  }
  const matrices = isMatrixMode(asked) ? matricesOf(asked, called, adapter as MatrixAdapter) : undefined
  const device = await adapter.requestDevice({
    requiredFeatures: (matrices ? matrixFeatures : []) as GPUFeatureName[],
    requiredLimits: Object.fromEntries(wanted.map((limit) => [limit, limits[limit]]))
  })
  return { mode, device, facts, adapter: called, matrices, ...watchDevice(device, `${mode} (${called})`) }
}
