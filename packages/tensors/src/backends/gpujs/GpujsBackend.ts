/** The GPU.js backend: every kernel of the list in one of GPU.js's modes. */
import { prepareMagnitude } from "#system/wasmFiles"
import type { Backend } from "../../core/Backend.ts"
import { importGpujs } from "../optionalPackages.ts"
import type { GpujsMode } from "./Device.ts"
import { makeHeadlessglDevice } from "./headlessglDevice.ts"
import { makeHostDevice } from "./hostDevice.ts"
import { makeQueuedBackend } from "./queuedBackend.ts"
import { startWebgpu } from "./webgpu/webgpuDevice.ts"

export interface GpujsOptions {
  /** "webgpu+f16" and "webgpu+f16x3" are webgpu with products by matrices of f16, in one term or three. */
  readonly mode: GpujsMode
  /** Whether `webgpu` may run on an adapter that is no GPU but a program, as SwiftShader is. Default true. */
  readonly software?: boolean
  /** In `webgpu`, hands every launch to the device alone, so that an error names its kernel; slow. Default false. */
  readonly debug?: boolean
  /** In `webgpu`, whether kernels run by their own WGSL where they have some; else by the GPU.js programs that define them. Default true. */
  readonly wgsl?: boolean
  /** In `webgpu`, bytes of the device's memory that tensors may take; left out, its driver is asked when that is asked for. */
  readonly memory?: number | undefined
}

/**
 * Starts GPU.js in one mode and no other. Raises BackendUnavailable when the mode cannot run here, or when GPU.js is not installed.
 *
 * @example
 * const backend = await makeGpujsBackend({ mode: "webgpu" })
 */
export const makeGpujsBackend = async ({
  mode,
  software = true,
  debug = false,
  wgsl = true,
  memory
}: GpujsOptions): Promise<Backend> => {
  const { GPU } = await importGpujs(`gpujs:${mode}`)
  await prepareMagnitude()
  switch (mode) {
    case "webgpu":
    case "webgpu+f16":
    case "webgpu+f16x3":
      return makeQueuedBackend(await startWebgpu(GPU, { mode, software, debug, wgsl, memory }))
    case "headlessgl":
      return makeQueuedBackend(makeHeadlessglDevice(GPU))
    default:
      return makeQueuedBackend(makeHostDevice(GPU, mode))
  }
}
