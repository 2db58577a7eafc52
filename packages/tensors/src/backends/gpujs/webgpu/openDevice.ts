/** The GPU itself: an adapter, and a device with all that it offers. */
import { BackendUnavailable } from "../../../core/Errors.ts"
import { type AdapterFacts, adapterFacts, adapterName } from "./adapterFacts.ts"
import { isOwnDawn, provideWebgpu } from "./provideWebgpu.ts"
import { type DeviceWatch, watchDevice } from "./watchDevice.ts"

export const modeName = "gpujs:webgpu"

export interface OpenedDevice extends DeviceWatch {
  readonly device: GPUDevice
  readonly facts: AdapterFacts
  /** The adapter's class in words, for example "nvidia, hopper, nvidia-h200, Vulkan, NVIDIA 550.54". */
  readonly adapter: string
}

/** What the spec promises everywhere is little: a binding of 128 MiB, 8 storage buffers. A device has it only where asked. */
const wanted = ["maxStorageBufferBindingSize", "maxBufferSize", "maxStorageBuffersPerShaderStage"] as const

/** Raises BackendUnavailable when Dawn or an adapter is missing, or when it is a program rather than a GPU and `software` is false. */
export const openDevice = async (software: boolean): Promise<OpenedDevice> => {
  const gpu = await provideWebgpu()
  const adapter = await gpu.requestAdapter().catch(() => null)
  if (adapter === null) {
    throw new BackendUnavailable(
      modeName,
      "WebGPU found no adapter; install the GPU's Vulkan driver and the loader libvulkan.so.1 (Debian: libvulkan1), or see docs/webgpu.md for a software adapter"
    )
  }
  const { info, limits } = adapter
  const facts = adapterFacts(info, { byDawn: isOwnDawn(gpu) })
  const called = adapterName(facts)
  if (info.isFallbackAdapter && !software) {
    throw new BackendUnavailable(modeName, `the adapter (${called}) is software, slower than the native backend`)
  }
  const device = await adapter.requestDevice({
    requiredLimits: Object.fromEntries(wanted.map((limit) => [limit, limits[limit]]))
  })
  return { device, facts, adapter: called, ...watchDevice(device, `${modeName} (${called})`) }
}
