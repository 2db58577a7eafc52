/** Gives GPU.js what it looks for in `navigator.gpu` where the runtime has no WebGPU of its own. */
import { BackendUnavailable } from "../../core/Errors.ts"

/** Dawn crashes when the object behind its adapters is collected while they live: it stays reachable from here. */
let provided: unknown

/** Dawn writes a warning of its own to the terminal where the Vulkan loader is missing: it is looked for before Dawn is asked. */
const requireVulkan = async (): Promise<void> => {
  if (process.platform !== "linux") return
  const { default: koffi } = await import("koffi")
  try {
    koffi.load("libvulkan.so.1")
  } catch {
    throw new BackendUnavailable(
      "gpujs:webgpu",
      "the Vulkan loader libvulkan.so.1 is missing; on Debian, apt-get install libvulkan1 and the driver of the GPU"
    )
  }
}

/** Raises BackendUnavailable when the Vulkan loader is missing, or when the native module is missing or does not load. */
export const provideWebgpu = async (): Promise<void> => {
  const scope = globalThis as { navigator?: { gpu?: unknown } }
  if (scope.navigator?.gpu) return
  await requireVulkan()
  try {
    const { create } = await import("webgpu")
    provided ??= create([])
  } catch (error) {
    throw new BackendUnavailable(
      "gpujs:webgpu",
      `the npm package "webgpu" (Dawn) did not load; install it with npm install webgpu@0.6.2 (${String(error)})`
    )
  }
  if (scope.navigator === undefined) Object.defineProperty(scope, "navigator", { value: {}, configurable: true })
  Object.defineProperty(scope.navigator, "gpu", { value: provided, configurable: true })
}
