/** WebGPU: that of the runtime, in `navigator.gpu`, or Dawn, which is put there because GPU.js looks for it. */
import { BackendUnavailable } from "../../../core/Errors.ts"
import { hasKoffi } from "../../installedPackages.ts"
import { importWebgpu, requireKoffi } from "../../optionalPackages.ts"

const name = "gpujs:webgpu"

/** Dawn crashes when the object behind its adapters is collected while they live: it stays reachable from here. */
let provided: GPU | undefined

/**
 * Dawn writes a warning of its own to the terminal where the Vulkan loader is missing: it is looked for before Dawn is asked,
 * where koffi is there to look.
 */
const requireVulkan = (): void => {
  if (process.platform !== "linux" || !hasKoffi()) return
  const { load } = requireKoffi(name)
  try {
    load("libvulkan.so.1")
  } catch {
    throw new BackendUnavailable(
      name,
      "the Vulkan loader libvulkan.so.1 is missing; on Debian, apt-get install libvulkan1 and the driver of the GPU"
    )
  }
}

/** Whether it is the Dawn that is started here, which takes the system's own API. */
export const isOwnDawn = (gpu: GPU): boolean => gpu === provided

/** Raises BackendUnavailable when the Vulkan loader is missing, or when Dawn is not installed or does not start. */
export const provideWebgpu = async (): Promise<GPU> => {
  const scope = globalThis as { navigator?: { gpu?: GPU } }
  if (scope.navigator?.gpu) return scope.navigator.gpu
  requireVulkan()
  const { create } = await importWebgpu(name)
  try {
    provided ??= create([])
  } catch (error) {
    throw new BackendUnavailable(name, `Dawn did not start (${String(error)})`)
  }
  if (scope.navigator === undefined) Object.defineProperty(scope, "navigator", { value: {}, configurable: true })
  Object.defineProperty(scope.navigator, "gpu", { value: provided, configurable: true })
  return provided
}
