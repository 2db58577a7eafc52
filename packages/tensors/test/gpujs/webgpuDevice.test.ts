/** How the webgpu mode uses its device: launches in batches, bind groups and buffers that serve again, reads, errors. */
import { GPU } from "gpu.js"
import { afterAll, assert, describe, it } from "vitest"
import type { GpujsProgram, Thread, Values } from "../../src/backends/gpujs/GpujsBody.ts"
import { makeQueuedBackend } from "../../src/backends/gpujs/queuedBackend.ts"
import { makeWebgpuDevice } from "../../src/backends/gpujs/webgpu/webgpuDevice.ts"
import { apply } from "../../src/core/apply.ts"
import { defineKernel } from "../../src/core/Kernel.ts"
import {
  adamW,
  addInto,
  clipByGlobalNorm,
  KernelFailure,
  kernels,
  linear,
  OutOfMemory,
  type Parameters,
  scale,
  scope,
  sum,
  type Tensor,
  tensor,
  UnsupportedKernel,
  valueAndGrad,
  zeros
} from "../../src/index.ts"
import { runSample, samplesOf } from "../conformance/runSample.ts"
import { openNullDevice, useNullGpu } from "./nullDevice.ts"

useNullGpu()

const withWgsl = kernels.filter(({ webgpu }) => webgpu !== undefined)

const closing: (() => Promise<void>)[] = []
afterAll(async () => {
  for (const close of closing) await close()
})

const start = async ({ debug = false, wgsl = true } = {}) => {
  const opened = await openNullDevice()
  const device = makeWebgpuDevice(GPU, opened, { debug, wgsl })
  const backend = makeQueuedBackend(device)
  closing.push(backend.close)
  return { backend, device, calls: opened.calls }
}

const rejection = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => undefined).catch((error) => error)

/** A step of training: forward, backward, clipping, an update. */
const trainer = (backend: Awaited<ReturnType<typeof start>>["backend"]) => {
  const parameters: Parameters = { first: zeros(backend, [8, 16]), second: zeros(backend, [4, 8]) }
  const x = tensor(backend, new Float32Array(3 * 16).fill(1), [3, 16])
  const optimizer = adamW()
  let state = optimizer.init(parameters)
  return (): { readonly loss: Tensor; readonly norm: Tensor } =>
    scope(() => {
      const { value, gradients } = valueAndGrad(({ first, second }: Parameters) => ({
        loss: sum(linear(linear(x, first!), second!)),
        auxiliary: undefined
      }))(parameters)
      const { norm, factor } = clipByGlobalNorm(gradients, 1)
      state = optimizer.update(parameters, gradients, state, { learningRate: 1e-3, factor })
      return { loss: value, norm }
    })
}

describe("launches", () => {
  it.each(kernels.map((kernel) => [kernel.name, kernel] as const))(
    "%s passes the device's validation, for every sample",
    async (_, kernel) => {
      const { backend } = await start()
      for (const sample of samplesOf(kernel)) await runSample(backend, kernel, sample)
    }
  )

  it.each(withWgsl.map((kernel) => [kernel.name, kernel] as const))(
    "%s passes it by its GPU.js programs, too",
    async (_, kernel) => {
      const { backend } = await start({ wgsl: false })
      for (const sample of samplesOf(kernel)) await runSample(backend, kernel, sample)
    }
  )

  it("are submitted together, and make nothing anew in a step like the one before", async () => {
    const { backend, calls } = await start()
    const step = trainer(backend)
    const once = async () => {
      const { loss, norm } = step()
      await Promise.all([loss.item(), norm.item()])
      for (const tensor of [loss, norm]) tensor.release()
    }
    for (let i = 0; i < 3; i++) await once()
    const before = { ...calls }
    for (let i = 0; i < 5; i++) await once()
    const { submits, ...made } = calls
    assert.deepEqual(made, { buffers: before.buffers, staging: before.staging, bindGroups: before.bindGroups })
    // What the host writes into a buffer that a launch still has to read waits for that one: the seed of the gradients.
    assert.isAtMost(submits - before.submits, 5 * 2)
  })

  it("update what they read by its own name in place", async () => {
    const { backend, device, calls } = await start()
    const [target, x] = [tensor(backend, [1, 2], [2]), tensor(backend, [3, 4], [2])]
    const before = device.usage()
    addInto(target, x)
    await target.read()
    assert.deepEqual(device.usage(), before, "no storage but the target's")
    assert.strictEqual(calls.bindGroups, 1)
  })

  it("replace an operand that is bound twice", async () => {
    const { backend } = await start()
    const target = tensor(backend, [1, 2], [2])
    addInto(target, target)
    await target.read()
  })
})

describe("reads", () => {
  it("that are asked for together come in one piece", async () => {
    const { backend, calls } = await start()
    const numbers = Array.from({ length: 20 }, (_, i) => tensor(backend, [i], [1]))
    const read = () => Promise.all(numbers.map((number) => number.item()))
    await read()
    assert.deepEqual([calls.staging, calls.submits], [1, 1])
    await read()
    assert.deepEqual([calls.staging, calls.submits], [1, 2], "the same buffer again")
  })

  it("wait for no other", async () => {
    const { backend, calls } = await start()
    const x = zeros(backend, [5])
    await scale(x, 2).read()
    calls.staging = 0
    calls.submits = 0
    const first = x.read()
    await Promise.resolve()
    await Promise.resolve()
    const second = scale(x, 2).read()
    await Promise.all([first, second])
    assert.deepEqual([calls.staging, calls.submits], [1, 2], "one in the buffer that is there, one in another")
  })
})

function doubled(this: Thread, x: Values) {
  return x[this.thread.x] * 2
}

const named = (name: string, compute: GpujsProgram["compute"] = doubled, extent: readonly number[] = [2]) =>
  defineKernel<"x", "y", object>({
    name,
    inputs: { x: { dtypes: ["f32"] } },
    outputs: ["y"],
    infer: ({ x }) => ({ y: { shape: x } }),
    reference: ({ x }, { y }) => y.set(x),
    gpujs: { programs: () => [{ output: "y", compute, reads: ["x"], extent }] },
    cost: () => ({ flops: 0, bytes: 0 }),
    samples: () => []
  })

describe("errors", () => {
  /** Launches three kernels, the buffer of the second's operand gone. */
  const refused = async (debug: boolean) => {
    const { backend } = await start({ debug })
    const operands = ["first", "second", "third"].map((name) => [named(name), tensor(backend, [1, 2], [2])] as const)
    for (const [kernel, x] of operands) apply(kernel, { x }, {}) // compiled, and its group made
    await operands[0]![1].read()
    const { values } = operands[1]![1].storage.handle as unknown as { values: { buffer: { gpu: GPUBuffer } } }
    values.buffer.gpu.destroy()
    for (const [kernel, x] of operands) apply(kernel, { x }, {})
    return rejection(operands[0]![1].read())
  }

  it("of a batch name the kernels in it", async () => {
    const error = await refused(false)
    assert.instanceOf(error, KernelFailure)
    assert.match(String(error), /first: failed while running: .*destroyed.*one of second, third, .* --debug/s)
  })

  it("name the kernel that fails, in debugging", async () => {
    const error = await refused(true)
    assert.instanceOf(error, KernelFailure)
    assert.match(String(error), /second: failed while running: .*destroyed/s)
    assert.notMatch(String(error), /first|third/)
  })

  it("say what the compiler has against a program, at every use of what it did not compute", async () => {
    const { backend } = await start()
    function wrong(this: Thread, x: Values) {
      return x[this.thread.x] + missing(1)
    }
    const missing = (value: number) => value
    const x = tensor(backend, [1, 2], [2])
    const error = await Promise.resolve()
      .then(() => apply(named("broken", wrong), { x }, {}).y.read())
      .catch((error: unknown) => error)
    assert.instanceOf(error, UnsupportedKernel)
    assert.match(String(error), /broken: .*missing/s)
  })

  it("say when a program has more threads than the device counts", async () => {
    const { backend } = await start()
    const x = tensor(backend, [1, 2], [2])
    const far = apply(named("far", doubled, [1, 1, 2 ** 17]), { x }, {}).y
    assert.match(String(await rejection(far.read())), /far: .*\[1,1,131072\] threads need more than 65535 workgroups/)
  })

  it("tell what a device has no room for, which does not say how much it has", async () => {
    const { backend } = await start()
    // The null adapter has 2^29 bytes in all: four tensors, and what they are read with.
    const tensors = Array.from({ length: 5 }, () => zeros(backend, [2 ** 24]))
    const reads = await Promise.all(tensors.map((each) => rejection(each.read())))
    const told = reads.filter((error) => error instanceof OutOfMemory)
    assert.match(String(told[0]), /cannot allocate 67108864 bytes: \d+ bytes are live; use a smaller batch/)
  })

  it("open the adapter as they name it", async () => {
    const { openDevice } = await import("../../src/backends/gpujs/webgpu/openDevice.ts")
    const { device, adapter } = await openDevice({ mode: "webgpu", software: true })
    assert.strictEqual(adapter, "null-backend")
    device.destroy()
    await device.lost
  })
})
