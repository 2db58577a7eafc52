/** Tensors that together pass one memory: each operand of a kernel in another one. */
import { afterAll, assert, describe, it } from "vitest"
import type { Stored } from "../../src/backends/native/Engine.ts"
import { scratchBytes } from "../../src/backends/native/thread/Thread.ts"
import { apply } from "../../src/core/apply.ts"
import {
  type AnyKernel,
  add,
  kernels,
  makeNativeBackend,
  makeReferenceBackend,
  type NativeBackend,
  OutOfMemory,
  Random,
  type Sample,
  type Tensor,
  tensor,
  zeros
} from "../../src/index.ts"

const memoryBytes = 2 * scratchBytes

const memoryOf = (x: Tensor): number => (x.storage.handle as Stored).room!.memory

/** Fills all memories up to that of `last`, so that the next tensor starts a new one. */
const fillUp = (backend: NativeBackend, last: Tensor): readonly Tensor[] => {
  const fillers: Tensor[] = []
  for (let size = 2 ** 17; size >= 1; size /= 2) {
    for (;;) {
      const filler = tensor(backend, new Float32Array(size), [size])
      if (memoryOf(filler) > memoryOf(last)) {
        filler.release()
        break
      }
      fillers.push(filler)
    }
  }
  return fillers
}

/** Runs a sample with every operand in another memory; outputs and updated operands by name. */
const runApart = async (backend: NativeBackend, kernel: AnyKernel, sample: Sample<object>, apart: boolean) => {
  const fillers: Tensor[] = []
  const inputs: { [name: string]: Tensor } = {}
  for (const [name, { shape, dtype = "f32", values }] of Object.entries(sample.inputs)) {
    inputs[name] = tensor(backend, Array.from(values), shape, dtype)
    if (apart) fillers.push(...fillUp(backend, inputs[name]))
  }
  // An empty operand fits anywhere.
  const memories = Object.values(inputs).flatMap((x) => (x.size > 0 ? [memoryOf(x)] : []))
  const outputs = apply(kernel, inputs, sample.attributes) as { [name: string]: Tensor }
  const updated = Object.entries(kernel.inputs).flatMap(([name, spec]) => (spec.updated && inputs[name] ? [name] : []))
  const results: { [name: string]: ArrayLike<number> } = {}
  for (const name of kernel.outputs) results[name] = await outputs[name]!.read()
  for (const name of updated) results[name] = await inputs[name]!.read()
  for (const x of [...fillers, ...Object.values(inputs), ...Object.values(outputs)]) x.release()
  return { results, memories }
}

describe("native, several memories", async () => {
  const apart = await makeNativeBackend({ threads: 1, memoryBytes, blas: "none" })
  const together = await makeNativeBackend({ threads: 1, blas: "none" })
  afterAll(async () => {
    await apart.close()
    await together.close()
  })

  it.each(kernels)("$name gives the same bits when its operands lie apart", async (kernel) => {
    const samples = kernel.samples(Random.make(5, kernel.name))
    // One sample of each third: the suite runs them all in one memory.
    for (const sample of samples.filter((_, index) => index % 3 === 1)) {
      const expected = await runApart(together, kernel, sample, false)
      const actual = await runApart(apart, kernel, sample, true)
      assert.strictEqual(new Set(actual.memories).size, actual.memories.length, "operands share a memory")
      assert.deepStrictEqual(actual.results, expected.results, sample.name)
    }
    assert.strictEqual(apart.usage().buffers, 0)
  })
})

describe("native, rows that belong together", async () => {
  const apart = await makeNativeBackend({ threads: 1, memoryBytes, blas: "none" })
  const together = await makeNativeBackend({ threads: 1, blas: "none" })
  afterAll(async () => {
    await apart.close()
    await together.close()
  })

  // Rows so wide that fewer than belong together go through scratch at a time, unless they are kept together.
  it.each([
    { rows: 32, columns: 4864, scaleGroup: 16 },
    { rows: 96, columns: 1200, scaleGroup: 48 },
    { rows: 64, columns: 2048, scaleGroup: 64 }
  ])("are quantized to the same bits when they lie apart: %o", async ({ rows, columns, scaleGroup }) => {
    const random = Random.make(7, "wide rows")
    const values = Array.from({ length: rows * columns }, () => random.nextNormal())
    for (const name of ["fakeQuantBilevel", "bilevelCodes"]) {
      const kernel = kernels.find((each) => each.name === name)!
      const settings = { bits: 2, group: 16, scaleGroup, secondLevel: "f16", commonScale: "exact", arithmetic: "f32" }
      const sample = { name, inputs: { weight: { shape: [rows, columns], values } }, attributes: settings }
      const expected = await runApart(together, kernel, sample, false)
      const actual = await runApart(apart, kernel, sample, true)
      assert.deepStrictEqual(actual.results, expected.results)
    }
  })
})

describe("native, the upper end of 4 GiB", async () => {
  const low = await makeNativeBackend({ threads: 2, blas: "none" })
  const high = await makeNativeBackend({ threads: 2, blas: "none", memoryLimit: 2 ** 36 })
  // Placed but never touched: it costs addresses only.
  const below = high.allocate({ dtype: "u8", shape: [4.1e9] })
  await high.read(below)
  afterAll(async () => {
    await low.close()
    await high.close()
  })

  it.each(kernels)("$name gives the same bits where offsets need 32 bits", async (kernel) => {
    for (const sample of kernel.samples(Random.make(5, kernel.name)).filter((_, index) => index % 4 === 2)) {
      const expected = await runApart(low, kernel, sample, false)
      const actual = await runApart(high, kernel, sample, false)
      assert.deepStrictEqual(actual.results, expected.results, sample.name)
    }
    assert.isAbove((below as Stored).room!.offset + 4.1e9, 2 ** 31)
  })
})

describe("native, memory limits", () => {
  it("refuses what passes the limit, with the numbers, and works on", async () => {
    const backend = await makeNativeBackend({ threads: 1, memoryLimit: 1000, memoryBytes })
    const held = zeros(backend, [200])
    let error: unknown
    try {
      zeros(backend, [51])
    } catch (caught) {
      error = caught
    }
    assert.instanceOf(error, OutOfMemory)
    assert.deepInclude(error, { requestedBytes: 204, liveBytes: 800, budgetBytes: 1000 })
    held.release()
    zeros(backend, [250]).release()
    assert.deepStrictEqual(backend.usage(), { buffers: 0, bytes: 0, peakBytes: 1000 })
    await backend.close()
  })

  it("refuses a tensor larger than a memory", async () => {
    const backend = await makeNativeBackend({ threads: 1, memoryBytes })
    assert.throws(() => zeros(backend, [memoryBytes / 4]), OutOfMemory)
    const fits = zeros(backend, [1000])
    assert.strictEqual(backend.usage().buffers, 1)
    fits.release()
    await backend.close()
  })

  it("holds more than one memory can", async () => {
    const backend = await makeNativeBackend({ threads: 1, memoryBytes })
    const count = 9
    const parts = Array.from({ length: count }, (_, i) => tensor(backend, new Float32Array(2 ** 18).fill(i), [2 ** 18]))
    assert.isAbove(backend.usage().bytes, memoryBytes)
    let sum = tensor(backend, new Float32Array(2 ** 18), [2 ** 18])
    for (const part of parts) {
      const next = add(sum, part)
      sum.release()
      sum = next
    }
    const expected = (count * (count - 1)) / 2
    assert.isTrue((await sum.read()).every((value) => value === expected))
    for (const x of [...parts, sum]) x.release()
    await backend.close()
  })

  it("takes options that it can meet only", async () => {
    for (const options of [{ threads: 0 }, { threads: 1.5 }, { memoryBytes: 1000 }, { memoryLimit: -1 }]) {
      let message = ""
      await makeNativeBackend(options).catch((error: Error) => {
        message = error.message
      })
      assert.match(message, new RegExp(`${Object.keys(options)[0]} is ${Object.values(options)[0]}`))
    }
  })
})

describe("reading back", () => {
  it("is what was written, for every element type", async () => {
    const native = await makeNativeBackend({ threads: 1, memoryBytes })
    const reference = makeReferenceBackend()
    for (const dtype of ["f32", "bf16", "f16", "u8", "i32"] as const) {
      const written = [0, 1, 2, 120, 77]
      const [a, b] = [tensor(native, written, [5], dtype), tensor(reference, written, [5], dtype)]
      assert.deepStrictEqual(await a.read(), await b.read())
      a.release()
    }
    await native.close()
  })
})
