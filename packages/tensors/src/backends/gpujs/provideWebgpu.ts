/** Gives GPU.js what it looks for in `navigator.gpu` where the runtime has no WebGPU of its own. */
import { BackendUnavailable } from "../../Errors.ts"

/** Dawn crashes when the object behind its adapters is collected while they live: it stays reachable from here. */
let provided: unknown

/** Raises BackendUnavailable when the native module is missing or does not load. */
export const provideWebgpu = async (): Promise<void> => {
  const scope = globalThis as { navigator?: { gpu?: unknown } }
  if (scope.navigator?.gpu) return
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
