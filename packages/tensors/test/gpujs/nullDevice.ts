/** Dawn's null adapter: it validates every call as a GPU does, copies and clears, and computes nothing. It needs no driver. */
import { afterAll } from "vitest"
import { create } from "webgpu"
import { adapterFacts } from "../../src/backends/gpujs/webgpu/adapterFacts.ts"
import { type Matrices, matrixFeatures } from "../../src/backends/gpujs/webgpu/matrices.ts"
import type { OpenedDevice } from "../../src/backends/gpujs/webgpu/openDevice.ts"
import { watchDevice } from "../../src/backends/gpujs/webgpu/watchDevice.ts"

/** Dawn crashes when the object behind its adapters is collected while they live. */
const gpu = create(["backend=null"])
const experimental = create(["backend=null", "enable-dawn-features=allow_unsafe_apis"])

/** Shows GPU.js the null adapter, without which it translates nothing for WebGPU, until the tests of the file are done; or one with features of matrices, as `shown`. */
export const useNullGpu = (shown?: (adapter: GPUAdapter) => GPUAdapter): void => {
  const experimentalAs = (show: (adapter: GPUAdapter) => GPUAdapter) => ({
    requestAdapter: async () => show((await experimental.requestAdapter())!)
  })
  const before = Object.getOwnPropertyDescriptor(globalThis, "navigator")
  Object.defineProperty(globalThis, "navigator", {
    value: { gpu: shown ? experimentalAs(shown) : gpu },
    configurable: true
  })
  afterAll(() => {
    if (before) Object.defineProperty(globalThis, "navigator", before)
    else delete (globalThis as { navigator?: unknown }).navigator
  })
}

/** What was asked of the device. */
export interface Calls {
  buffers: number
  staging: number
  bindGroups: number
  submits: number
}

/** With `matrices`, a device that has the features that they need; it lists none, and takes those that it is given. */
export const openNullDevice = async (matrices?: Matrices): Promise<OpenedDevice & { readonly calls: Calls }> => {
  const adapter = (await (matrices ? experimental : gpu).requestAdapter())!
  const { maxStorageBuffersPerShaderStage } = adapter.limits
  const device = await adapter.requestDevice({
    requiredFeatures: matrices ? (matrixFeatures as readonly GPUFeatureName[]) : [],
    requiredLimits: { maxStorageBuffersPerShaderStage }
  })
  const calls: Calls = { buffers: 0, staging: 0, bindGroups: 0, submits: 0 }
  const [createBuffer, createBindGroup] = [device.createBuffer.bind(device), device.createBindGroup.bind(device)]
  const submit = device.queue.submit.bind(device.queue)
  device.createBuffer = (descriptor) => {
    calls.buffers++
    if (descriptor.usage & 0x01) calls.staging++
    return createBuffer(descriptor)
  }
  device.createBindGroup = (descriptor) => {
    calls.bindGroups++
    return createBindGroup(descriptor)
  }
  device.queue.submit = (buffers) => {
    calls.submits++
    return submit(buffers)
  }
  const facts = adapterFacts(adapter.info, { byDawn: false })
  const watch = watchDevice(device, "gpujs:webgpu (null)")
  return { mode: "gpujs:webgpu", device, facts, adapter: "null", matrices, ...watch, calls }
}
