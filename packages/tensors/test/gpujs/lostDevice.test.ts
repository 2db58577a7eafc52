/** What is left of a device that is gone: an error that says so, from every call, at once. On Dawn's null adapter. */
import { GPU } from "gpu.js"
import { assert, describe, it } from "vitest"
import { makeQueuedBackend } from "../../src/backends/gpujs/queuedBackend.ts"
import { watchDevice } from "../../src/backends/gpujs/webgpu/watchDevice.ts"
import { makeWebgpuDevice } from "../../src/backends/gpujs/webgpu/webgpuDevice.ts"
import { add, DeviceLost, linear, scale, type Tensor, tensor, zeros } from "../../src/index.ts"
import { openNullDevice, useNullGpu } from "./nullDevice.ts"

useNullGpu()

const start = async () => {
  const opened = await openNullDevice()
  return { opened, backend: makeQueuedBackend(makeWebgpuDevice(GPU, opened, { debug: false, wgsl: true })) }
}

const rejection = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => undefined).catch((error) => error)

/** A device that says that it is lost when it is told to, with answers that never come. */
const silentDevice = () => {
  let lose: (message: string) => void = () => {}
  const lost = new Promise<GPUDeviceLostInfo>((resolve) => {
    lose = (message) => resolve({ reason: "unknown", message } as GPUDeviceLostInfo)
  })
  return { lose, watch: watchDevice({ lost }, "gpujs:webgpu (silent)") }
}

describe("a watch", () => {
  it("ends what waits for an answer that will never come", async () => {
    const { lose, watch } = silentDevice()
    const waiting = [watch.orLost(new Promise(() => {})), watch.orLost(new Promise(() => {}))].map(rejection)
    watch.assertThere()
    lose("the driver was reset")
    for (const error of await Promise.all(waiting)) {
      assert.instanceOf(error, DeviceLost)
      assert.match((error as Error).message, /gpujs:webgpu \(silent\) lost its device \(the driver was reset\)/)
    }
    assert.throws(watch.assertThere, DeviceLost)
    assert.instanceOf(await rejection(watch.orLost(new Promise(() => {}))), DeviceLost)
  })

  it("blames the loss for a failure that comes before its news, and nothing else for it", async () => {
    const { lose, watch } = silentDevice()
    const failed = rejection(watch.orLost(Promise.reject(new Error("mapping was aborted"))))
    setTimeout(() => lose(""), 20)
    assert.instanceOf(await failed, DeviceLost)
    const { watch: other } = silentDevice()
    assert.match(String(await rejection(other.orLost(Promise.reject(new Error("too large"))))), /too large/)
    assert.strictEqual(await other.orLost(Promise.resolve(3)), 3)
  })
})

describe("a lost device", () => {
  it("ends reads in flight, and a program that is being compiled", async () => {
    const { opened, backend } = await start()
    const x = tensor(backend, [1, 2, 3, 4], [2, 2])
    await scale(x, 2).read()
    const reads = [x.read(), scale(x, 3).read(), linear(x, x).read()].map(rejection)
    opened.device.destroy()
    for (const error of await Promise.all(reads)) assert.instanceOf(error, DeviceLost)
    await backend.close()
  })

  it("is named by every later call, which does nothing else; giving back and closing go on", async () => {
    const { opened, backend } = await start()
    const x = tensor(backend, [1, 2], [2])
    const y: Tensor = scale(x, 2)
    await y.read()
    opened.device.destroy()
    await opened.device.lost
    const { buffers } = backend.usage()
    for (const call of [() => add(x, y), () => zeros(backend, [2]), () => tensor(backend, [1], [1])]) {
      assert.throws(call, DeviceLost, /lost its device/)
    }
    assert.throws(() => backend.fill(x.storage.handle, () => {}), DeviceLost)
    const begun = performance.now()
    for (const each of [x, y]) assert.instanceOf(await rejection(each.read()), DeviceLost)
    assert.isBelow(performance.now() - begun, 10_000)
    assert.strictEqual(backend.usage().buffers, buffers)
    for (const each of [x, y]) each.release()
    backend.trim()
    assert.strictEqual(backend.usage().buffers, 0)
    await backend.close()
  })

  it("is not the end of another", async () => {
    const [lost, other] = [await start(), await start()]
    lost.opened.device.destroy()
    await lost.opened.device.lost
    assert.lengthOf(await scale(tensor(other.backend, [1, 2], [2]), 2).read(), 2)
    await Promise.all([lost.backend.close(), other.backend.close()])
  })
})
