/** The queue of the GPU.js backend: order, storage, and errors of work that runs later. */
import { GPU } from "gpu.js"
import { assert, describe, it } from "vitest"
import type { GpujsProgram, Thread, Values } from "../../src/backends/gpujs/GpujsBody.ts"
import { makeHostDevice } from "../../src/backends/gpujs/hostDevice.ts"
import { makeQueuedBackend } from "../../src/backends/gpujs/queuedBackend.ts"
import { apply } from "../../src/core/apply.ts"
import { defineKernel } from "../../src/core/Kernel.ts"
import {
  addInto,
  BackendUnavailable,
  cast,
  gatherRows,
  InvalidAttribute,
  leadingRows,
  matmul,
  scale,
  softmax,
  TensorTooLarge,
  tensor,
  UnsupportedKernel,
  zeros
} from "../../src/index.ts"

const start = (mode: "webasm" | "cpu" = "cpu") => {
  const device = makeHostDevice(GPU, mode)
  return { device, backend: makeQueuedBackend(device) }
}

function same(this: Thread, x: Values) {
  return x[this.thread.x]
}

/** A kernel whose programs are given. */
const kernelOf = (programs: readonly GpujsProgram[]) =>
  defineKernel<"x", "y", object>({
    name: "made up",
    inputs: { x: { dtypes: ["f32"] } },
    outputs: ["y"],
    infer: ({ x }) => ({ y: { shape: x } }),
    reference: ({ x }, { y }) => y.set(x),
    gpujs: { programs: () => programs },
    cost: () => ({ flops: 0, bytes: 0 }),
    samples: () => []
  })

const rejection = (promise: Promise<unknown>): Promise<unknown> => promise.then(() => undefined).catch((error) => error)

describe("queue", () => {
  it("computes in the order of the calls, on operands released meanwhile", async () => {
    const { backend } = start()
    const x = tensor(backend, [1, 2, 3], [3])
    const target = zeros(backend, [3])
    const double = scale(x, 2)
    addInto(target, double)
    double.release()
    x.release()
    addInto(target, target)
    const before = target.read()
    addInto(target, target)
    assert.deepEqual([...(await before)], [4, 8, 12])
    assert.deepEqual([...(await target.read())], [8, 16, 24])
    await backend.close()
  })

  it("writes into a tensor that queued work still reads only after that work", async () => {
    const { backend } = start()
    const x = tensor(backend, [1, 2], [2])
    const y = scale(x, 3)
    backend.fill(x.storage.handle, (bytes) => new Float32Array(bytes.buffer).set([10, 20]))
    const z = scale(x, 3)
    assert.deepEqual([...(await y.read())], [3, 6])
    assert.deepEqual([...(await z.read())], [30, 60])
    await backend.close()
  })

  it("keeps nothing on the device that no tensor holds", async () => {
    for (const mode of ["cpu", "webasm"] as const) {
      const { device, backend } = start(mode)
      const kept = tensor(backend, [1, 2, 3, 4, 5, 6], [2, 3])
      for (let i = 0; i < 50; i++) {
        const product = matmul(kept, kept, false, true)
        const y = softmax(product)
        product.release()
        y.release()
      }
      await kept.read()
      assert.strictEqual(device.usage().buffers, 1, mode)
      assert.deepEqual(backend.usage().buffers, 1)
      kept.release()
      assert.strictEqual(device.usage().buffers, 0, mode)
      await backend.close()
    }
  })

  it("refuses everything once it is closed", async () => {
    const { backend } = start()
    const x = tensor(backend, [1], [1])
    await backend.close()
    assert.throws(() => scale(x, 2), BackendUnavailable, "it was closed")
    assert.instanceOf(await rejection(x.read()), BackendUnavailable)
    x.release()
  })
})

describe("errors of queued work", () => {
  const lost = { output: "y", compute: same, reads: ["x", "nowhere"], extent: [2] }
  // The first program answers later, and the second is met in the queue.
  const broken = kernelOf([{ output: "before", compute: same, reads: ["x"], extent: [2] }, lost])

  it("come out of the call itself where it runs at once", async () => {
    const { backend, device } = start()
    const x = tensor(backend, [1, 2], [2])
    assert.throws(() => apply(kernelOf([lost]), { x }, {}), UnsupportedKernel, "nowhere")
    assert.deepEqual([...(await x.read())], [1, 2], "said once; the rest works on")
    x.release()
    assert.strictEqual(device.usage().buffers, 0)
    await backend.close()
  })

  it("come out of the next read, with the kernel's name, and of every use of what was not computed", async () => {
    const { backend, device } = start()
    const x = tensor(backend, [1, 2], [2])
    const y = apply(broken, { x }, {}).y
    const z = scale(y, 2)
    const error = await rejection(x.read())
    assert.instanceOf(error, UnsupportedKernel)
    assert.match(String(error), /made up: backend gpujs:cpu cannot run it: no program computes "nowhere"/)
    assert.deepEqual([...(await x.read())], [1, 2], "said once; the rest works on")
    assert.strictEqual(await rejection(z.read()), error)
    assert.strictEqual(await rejection(y.read()), error)
    for (const tensor of [x, y, z]) tensor.release()
    await backend.close()
    assert.strictEqual(device.usage().buffers, 0)
  })

  it("come out of the next run", async () => {
    const { backend } = start()
    const x = tensor(backend, [1, 2], [2])
    apply(broken, { x }, {})
    await new Promise((resolve) => setImmediate(resolve))
    assert.throws(() => scale(x, 2), UnsupportedKernel, "nowhere")
    assert.deepEqual([...(await scale(x, 2).read())], [2, 4])
    await backend.close()
  })

  it("name what GPU.js has against a program", async () => {
    const { backend } = start("webasm")
    const x = tensor(backend, [1, 2], [2])
    function closed(this: Thread, x: Values) {
      return x[this.thread.x] * outside
    }
    const outside = 3
    const y = apply(kernelOf([{ output: "y", compute: closed, reads: ["x"], extent: [2] }]), { x }, {}).y
    const error = await rejection(y.read())
    assert.instanceOf(error, UnsupportedKernel)
    assert.match(String(error), /made up: backend gpujs:webasm .*program "y".*outside/s)
    await backend.close()
  })

  it("say when parameters and operands differ in number", async () => {
    const { backend } = start()
    const x = tensor(backend, [1, 2], [2])
    const wrong = kernelOf([{ output: "y", compute: same, reads: ["x"], scalars: [1], extent: [2] }])
    assert.throws(() => apply(wrong, { x }, {}), UnsupportedKernel, "takes 1 parameters, got 1 operands and 1 scalars")
    await backend.close()
  })

  it("say when a kernel has no programs", async () => {
    const { backend } = start()
    const { gpujs: _, ...without } = kernelOf([])
    const x = tensor(backend, [1], [1])
    assert.throws(() => apply(without, { x }, {}), UnsupportedKernel, "no GPU.js body")
    await backend.close()
  })
})

describe("storage", () => {
  it("keeps 16-bit patterns, bytes and integers exactly, and counts what they take", async () => {
    const { backend } = start()
    const patterns = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i)
    const isNaN16 = (i: number, exponent: number) => (i & exponent) === exponent && (i & (0x7fff ^ exponent)) !== 0
    for (const [dtype, exponent] of [
      ["bf16", 0x7f80],
      ["f16", 0x7c00]
    ] as const) {
      const x = tensor(backend, patterns, [2 ** 16], dtype)
      assert.strictEqual(backend.usage().bytes, 4 * 2 ** 16, "an f32 each, whatever the dtype")
      const widened = cast(x, "f32")
      const back = cast(widened, dtype)
      for (const [i, pattern] of (await x.read()).entries()) {
        if (!isNaN16(i, exponent)) assert.strictEqual(pattern, i, dtype)
      }
      for (const [i, pattern] of (await back.read()).entries()) {
        if (isNaN16(i, exponent)) assert.isTrue(isNaN16(pattern, exponent), `${dtype} ${i}`)
        else assert.strictEqual(pattern, i, `${dtype} cast`)
      }
      for (const tensor of [x, widened, back]) tensor.release()
    }
    const bytes = tensor(backend, Uint8Array.of(0, 1, 127, 255), [4], "u8")
    assert.deepEqual([...(await bytes.read())], [0, 1, 127, 255])
    const integers = tensor(backend, Int32Array.of(0, -100, 2 ** 24, -(2 ** 24)), [4], "i32")
    assert.deepEqual([...(await integers.read())], [0, -100, 2 ** 24, -(2 ** 24)])
    await backend.close()
  })

  it("refuses integers that f32 does not hold", async () => {
    const { backend } = start()
    assert.throws(() => tensor(backend, Int32Array.of(1, 2 ** 24 + 1), [2], "i32"), InvalidAttribute, "16777217")
    assert.strictEqual(backend.usage().buffers, 0)
    await backend.close()
  })

  it("refuses tensors past the mode's limit, before and inside a kernel", async () => {
    const { backend } = start("webasm")
    const count = 2 ** 24 + 1
    assert.throws(() => zeros(backend, [count]), TensorTooLarge, `[${count}] of ${4 * count} bytes`)
    const x = zeros(backend, [2])
    const large = kernelOf([{ output: "inside", compute: same, reads: ["x"], extent: [count] }])
    assert.throws(() => apply(large, { x }, {}), UnsupportedKernel, /"inside" has 16777217 elements, .* 16777216/)
    await backend.close()
  })

  it("replaces no part of a tensor", async () => {
    const { backend } = start()
    const whole = zeros(backend, [4, 2])
    const part = leadingRows(whole, 2)
    assert.throws(() => addInto(part, part), UnsupportedKernel, "view of part")
    assert.deepEqual([...(await gatherRows(part, tensor(backend, [1], [1], "i32")).read())], [0, 0])
    await backend.close()
  })

  it("reads zeros where nothing was written", async () => {
    const { backend } = start("webasm")
    assert.deepEqual([...(await zeros(backend, [3]).read())], [0, 0, 0])
    assert.deepEqual([...(await zeros(backend, [0, 3]).read())], [])
    await backend.close()
  })
})
