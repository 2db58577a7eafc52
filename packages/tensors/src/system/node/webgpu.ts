/** WebGPU: that of the runtime, in `navigator.gpu`, or Dawn, which is put there because GPU.js looks for it. */

import { hasKoffi } from "../../backends/installedPackages.ts"
import { importWebgpu, requireKoffi } from "../../backends/optionalPackages.ts"
import { BackendUnavailable } from "../../core/Errors.ts"

/** Dawn crashes when the object behind its adapters is collected while they live: it stays reachable from here. */
let provided: GPU | undefined

/** The same with what Dawn calls unsafe, which matrices are, and f16 on every driver of NVIDIA; never shown to anything else. */
let experimental: GPU | undefined
const toggles = "enable-dawn-features=allow_unsafe_apis,vulkan_enable_f16_on_nvidia"

/**
 * Dawn writes a warning of its own to the terminal where the Vulkan loader is missing: it is looked for before Dawn is asked,
 * where koffi is there to look.
 */
const requireVulkan = (name: string): void => {
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
export const isOwnDawn = (gpu: GPU): boolean => gpu === provided || gpu === experimental

/**
 * For the backend `name`; with matrices of f16 where Dawn may have them. What the runtime itself provides is taken as it is. Raises
 * BackendUnavailable when the Vulkan loader is missing, or when Dawn is not installed or does not start.
 */
export const provideWebgpu = async (name: string, withMatrices: boolean): Promise<GPU> => {
  const scope = globalThis as { navigator?: { gpu?: GPU } }
  const there = scope.navigator?.gpu
  if (there && !(withMatrices && there === provided)) return there
  requireVulkan(name)
  const { create } = await importWebgpu(name)
  try {
    provided ??= create([])
    if (withMatrices) experimental ??= create([toggles])
  } catch (error) {
    throw new BackendUnavailable(name, `Dawn did not start (${String(error)})`)
  }
  if (scope.navigator === undefined) Object.defineProperty(scope, "navigator", { value: {}, configurable: true })
  Object.defineProperty(scope.navigator, "gpu", { value: provided, configurable: true })
  return withMatrices ? experimental! : provided
}
