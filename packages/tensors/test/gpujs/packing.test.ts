/** Tensors of 8 and 16 bits on the webgpu device: their bytes as they are, over Dawn's null adapter; their numbers, where an adapter is there. */
import { GPU } from "gpu.js"
import { afterAll, assert, describe, it } from "vitest"
import { makeGpujsBackend } from "../../src/backends/gpujs/GpujsBackend.ts"
import type { Thread, Values } from "../../src/backends/gpujs/GpujsBody.ts"
import { makeQueuedBackend } from "../../src/backends/gpujs/queuedBackend.ts"
import { makeWebgpuDevice } from "../../src/backends/gpujs/webgpu/webgpuDevice.ts"
import { elementwise, workgroupsOfElements } from "../../src/backends/gpujs/webgpu/wgslText.ts"
import { apply } from "../../src/core/apply.ts"
import { defineKernel } from "../../src/core/Kernel.ts"
import {
  type Backend,
  BackendUnavailable,
  cast,
  fromBfloat16,
  fromFloat16,
  leadingRows,
  sizeOf,
  type Tensor,
  tensor,
  toBfloat16,
  toFloat16,
  UnsupportedKernel,
  zeros
} from "../../src/index.ts"
import { openNullDevice, useNullGpu } from "./nullDevice.ts"

// An adapter, where there is one, is asked for before the null one takes its place.
const startAdapter = (wgsl: boolean) =>
  makeGpujsBackend({ mode: "webgpu", wgsl }).catch((error: unknown) => {
    if (error instanceof BackendUnavailable) return error
    throw error
  })
const started = [await startAdapter(true), await startAdapter(false)]
const [missing] = started.filter((each) => each instanceof Error)
const reason = missing === undefined ? "" : `: skipped, ${missing.message}`

useNullGpu()
const closing: (() => Promise<void>)[] = started.flatMap((each) => (each instanceof Error ? [] : [each.close]))
afterAll(async () => {
  for (const close of closing) await close()
})

/** The null adapter keeps nothing that is written: `written` has it. */
const start = async () => {
  const opened = await openNullDevice()
  const { queue } = opened.device
  const write = queue.writeBuffer.bind(queue)
  const written: unknown[] = []
  queue.writeBuffer = (...given: Parameters<typeof write>) => {
    written.push(given[2])
    write(...given)
  }
  const device = makeWebgpuDevice(GPU, opened, { debug: false, wgsl: true })
  const backend = makeQueuedBackend(device)
  closing.push(backend.close)
  return { backend, device, written }
}

const patterns = Uint16Array.from({ length: 2 ** 16 }, (_, i) => i)
const bytes = Uint8Array.from({ length: 256 }, (_, i) => i)

const storedKinds = [
  ["bf16", patterns, 2],
  ["f16", patterns, 2],
  ["u8", bytes, 1]
] as const

describe("storage", () => {
  it.each(storedKinds)("gets %s as bytes, in whole words, and counts what they take", async (dtype, all, each) => {
    const { backend, device, written } = await start()
    for (const length of [1, 2, 3, 5, all.length]) {
      const values = all.slice(all.length - length)
      const [before, x] = [device.usage().buffers, tensor(backend, values, [length], dtype)]
      assert.strictEqual(backend.usage().bytes, each * length)
      assert.strictEqual(device.usage().buffers, before + 1)
      const padded = new Uint8Array(4 * Math.ceil((each * length) / 4))
      padded.set(new Uint8Array(values.buffer))
      assert.deepEqual(written.at(-1), padded)
      assert.strictEqual((await x.read()).length, length)
      x.release()
    }
  })

  it("takes the device's memory as words", async () => {
    const { backend, device } = await start()
    const before = device.usage().bytes
    tensor(backend, new Uint16Array(2 ** 20), [2 ** 20], "bf16")
    assert.strictEqual(device.usage().bytes - before, 2 ** 21)
    tensor(backend, new Uint8Array(2 ** 20), [2 ** 20], "u8")
    assert.strictEqual(device.usage().bytes - before, 2 ** 21 + 2 ** 20)
  })
})

function whole(this: Thread, x: Values) {
  return x[this.thread.x]
}

/** y = x by this text, which reads and writes f32, or by the program. */
const copying = (name: string, text: string | undefined) =>
  defineKernel<"x", "y", object>({
    name,
    inputs: { x: { dtypes: ["f32", "bf16", "f16", "u8"] } },
    outputs: ["y"],
    infer: ({ x }) => ({ y: { shape: x, dtype: name === "to words" ? "u8" : "f32" } }),
    reference: ({ x }, { y }) => y.set(x),
    gpujs: { programs: ({ inputs: { x } }) => [{ output: "y", compute: whole, reads: ["x"], extent: [sizeOf(x)] }] },
    ...(text === undefined
      ? {}
      : {
          webgpu: {
            launches: ({ inputs: { x } }) => [
              {
                program: { reads: ["x"], writes: ["y"], whole: ["size"], text: elementwise(text) },
                reads: ["x"],
                writes: [{ name: "y" }],
                whole: [sizeOf(x)],
                workgroups: workgroupsOfElements(sizeOf(x))
              }
            ]
          }
        }),
    cost: () => ({ flops: 0, bytes: 0 }),
    samples: () => []
  })

describe("a text of f32", () => {
  const failureOf = async (kernel: ReturnType<typeof copying>, dtype: "f32" | "bf16") => {
    const { backend } = await start()
    const x = zeros(backend, [5], dtype)
    return Promise.resolve()
      .then(() => apply(kernel, { x }, {}).y.read())
      .then(
        () => undefined,
        (error: unknown) => error
      )
  }

  it("is not handed words", async () => {
    const error = await failureOf(copying("from words", "  y[i] = x[i];"), "bf16")
    assert.instanceOf(error, UnsupportedKernel)
    assert.match(String(error), /from words: .*reads "x" as f32, not as bf16/)
  })

  it("does not write where words are", async () => {
    const error = await failureOf(copying("to words", "  y[i] = x[i];"), "f32")
    assert.instanceOf(error, UnsupportedKernel)
    assert.match(String(error), /to words: .*writes "y" as f32, not as u8/)
  })
})

/** Whether two numbers are the same; subnormals of f32, which a GPU may take for 0, count as 0. */
const same = (a: number, b: number): boolean => {
  const flushed = (x: number) => (Math.abs(x) < 2 ** -126 ? 0 : x)
  return Object.is(a, b) || (flushed(a) === flushed(b) && Object.is(a < 0, b < 0))
}

const assertSame = (actual: ArrayLike<number>, expected: ArrayLike<number>) => {
  assert.strictEqual(actual.length, expected.length)
  for (let i = 0; i < expected.length; i++) {
    assert.isTrue(same(actual[i]!, expected[i]!), `element ${i}: ${actual[i]} for ${expected[i]}`)
  }
}

const kinds = [
  ["bf16", fromBfloat16, toBfloat16],
  ["f16", fromFloat16, toFloat16]
] as const

const adapters = ["WGSL of its own", "GPU.js programs"].map((name, i) => [name, started[i] as Backend] as const)

describe.skipIf(missing !== undefined)(`numbers${reason}`, () => {
  it.each(storedKinds)("of every pattern of %s come back, NaN too", async (dtype, all) => {
    const backend = started[0] as Backend
    for (const length of [1, 2, 3, 5, all.length]) {
      const values = all.slice(all.length - length)
      assert.deepEqual(await tensor(backend, values, [length], dtype).read(), values)
    }
    assert.strictEqual((await tensor(backend, [], [0], dtype).read()).length, 0)
    assert.deepEqual([...(await zeros(backend, [3], dtype).read())], [0, 0, 0])
  })

  describe.each(adapters)("by %s", (_, backend) => {
    it.each(kinds)("of every pattern of %s are widened exactly", async (dtype, widen) => {
      const x = tensor(backend, patterns, [2 ** 16], dtype)
      assertSame(await cast(x, "f32").read(), Float32Array.from(patterns, widen))
    })

    it.each(kinds)("are rounded to %s as on the host, an odd number of them", async (dtype, widen, narrow) => {
      // Every pattern, what is half way to the next, and what is next to that.
      const bits = Uint32Array.from(
        patterns.subarray(1, 0x7c00),
        (i) => new Uint32Array(Float32Array.of(widen(i)).buffer)[0]!
      )
      const half = dtype === "bf16" ? 0x8000 : 0x1000
      const near = [-half, -1, 0, 1, half].map((step) => new Float32Array(bits.map((value) => value + step).buffer))
      for (const values of near) {
        const normal = values.filter((value) => Math.abs(value) >= 2 ** -126)
        const y = cast(tensor(backend, normal, [normal.length]), dtype)
        assert.deepEqual(await y.read(), Uint16Array.from(normal, narrow))
      }
    })
  })

  it("of a view of part, and of bytes, are read by a program that knows nothing of words", async () => {
    const backend = started[0] as Backend
    const program = copying("program", undefined)
    const read = (x: Tensor) => apply(program, { x }, {}).y.read()
    assertSame(await read(tensor(backend, bytes, [256], "u8")), bytes)
    const rows = tensor(backend, patterns.subarray(0x3f00, 0x3f0f), [5, 3], "bf16")
    assertSame(await read(leadingRows(rows, 3)), Float32Array.from(patterns.subarray(0x3f00, 0x3f09), fromBfloat16))
  })
})
