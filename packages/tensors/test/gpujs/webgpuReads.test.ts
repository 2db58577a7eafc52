/** What the webgpu mode reads back, on an adapter that computes: skipped where there is none (docs/webgpu.md names a driver). */
import { afterAll, assert, describe, it } from "vitest"
import { makeGpujsBackend } from "../../src/backends/gpujs/GpujsBackend.ts"
import { addInto, type Backend, BackendUnavailable, scale, tensor, zeros } from "../../src/index.ts"

const started = await makeGpujsBackend({ mode: "webgpu" }).catch((error: unknown) => {
  if (error instanceof BackendUnavailable) return error
  throw error
})
const reason = started instanceof Error ? `: skipped, ${started.message}` : ""
const backend = started as Backend
afterAll(async () => {
  if (!(started instanceof Error)) await started.close()
})

describe.skipIf(started instanceof Error)(`reads of webgpu${reason}`, () => {
  it("give what was there when they were asked for, whatever is written after", async () => {
    const x = tensor(backend, [1, 2, 3], [3])
    const reads = [x.read()]
    addInto(x, x)
    reads.push(x.read())
    backend.fill(x.storage.handle, (bytes) => new Float32Array(bytes.buffer).set([7, 8, 9]))
    reads.push(x.read())
    x.release()
    tensor(backend, [10, 11, 12], [3]).release()
    const values = await Promise.all(reads)
    assert.deepEqual(
      values.map((each) => [...each]),
      [
        [1, 2, 3],
        [2, 4, 6],
        [7, 8, 9]
      ]
    )
  })

  it("are in flight at once, in any number and size", async () => {
    const lengths = [1, 5000, 3, 1023, 2, 9000, ...Array.from({ length: 40 }, () => 100)]
    const tensors = lengths.map((length, i) => tensor(backend, new Float32Array(length).fill(i), [length]))
    const values = await Promise.all(tensors.map((each) => scale(each, 2).read()))
    for (const [i, each] of values.entries()) {
      assert.deepEqual([each.length, each[0], each.at(-1)], [lengths[i]!, 2 * i, 2 * i])
    }
  })

  it("give zeros where nothing was written, in a buffer that had other numbers", async () => {
    tensor(backend, [1, 2, 3], [3]).release()
    assert.deepEqual([...(await zeros(backend, [3]).read())], [0, 0, 0])
  })
})
