/** The GPU.js backend: every kernel of the list in one of GPU.js's modes. */
import type { Backend } from "../../core/Backend.ts"
import type { GpujsMode } from "./Device.ts"
import { makeHeadlessglDevice } from "./headlessglDevice.ts"
import { makeHostDevice } from "./hostDevice.ts"
import { makeQueuedBackend } from "./queuedBackend.ts"
import { makeWebgpuDevice } from "./webgpuDevice.ts"

export interface GpujsOptions {
  readonly mode: GpujsMode
  /** Whether `webgpu` may run on an adapter that is no GPU but a program, as SwiftShader is. Default true. */
  readonly software?: boolean
}

/**
 * Starts GPU.js in one mode and no other. Raises BackendUnavailable when the mode cannot run here.
 *
 * @example
 * const backend = await makeGpujsBackend({ mode: "webgpu" })
 */
export const makeGpujsBackend = async ({ mode, software = true }: GpujsOptions): Promise<Backend> => {
  switch (mode) {
    case "webgpu":
      return makeQueuedBackend(await makeWebgpuDevice({ software }))
    case "headlessgl":
      return makeQueuedBackend(makeHeadlessglDevice())
    default:
      return makeQueuedBackend(makeHostDevice(mode))
  }
}
