/** The GPU itself: an adapter, and a device with all that it offers. */
import { BackendUnavailable } from "../../../core/Errors.ts"
import { provideWebgpu } from "./provideWebgpu.ts"

export const modeName = "gpujs:webgpu"

export interface OpenedDevice {
  readonly device: GPUDevice
  /** The adapter as it calls itself, for example "nvidia, hopper". */
  readonly adapter: string
  /** Raises BackendUnavailable once the device is gone. */
  readonly assertThere: () => void
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
  const called = [info.vendor, info.architecture, info.description].filter(Boolean).join(", ")
  if (info.isFallbackAdapter && !software) {
    throw new BackendUnavailable(modeName, `the adapter (${called}) is software, slower than the native backend`)
  }
  const device = await adapter.requestDevice({
    requiredLimits: Object.fromEntries(wanted.map((limit) => [limit, limits[limit]]))
  })
  let lost: string | undefined
  void device.lost.then(({ message }) => {
    lost = message
  })
  return {
    device,
    adapter: called,
    assertThere: () => {
      if (lost === undefined) return
      throw new BackendUnavailable(modeName, `the GPU device was lost (${lost}); start the backend again`)
    }
  }
}
