import { assert, describe, it } from "vitest"
import { findBlas } from "../../src/backends/native/findLibraries.ts"
import { loadKernels } from "../../src/backends/native/loadKernels.ts"
import { Pool } from "../../src/backends/native/Pool.ts"
import { loadProducts } from "../../src/backends/native/thread/library/loadLibrary.ts"
import { reservedBytes, scratchBytes, Thread } from "../../src/backends/native/thread/Thread.ts"
import type { RowsTask, TaskOperand } from "../../src/backends/native/thread/tasks.ts"
import { makeMemory, pageBytes } from "../../src/backends/native/thread/wasm.ts"
import { KernelFailure } from "../../src/index.ts"

const threads = 3
const first = reservedBytes + threads * scratchBytes
const memoryBytes = first + 2 ** 20

const startPool = async (blas?: string) => {
  const { module, flags } = await loadKernels("auto")
  const libraries = { cblas: blas === undefined ? undefined : findBlas(blas).library?.path, onednn: undefined }
  const own = new Thread(0, module, loadProducts(libraries))
  const pool = await Pool.start(threads, own, { module, flags, libraries })
  const memory = makeMemory(Math.ceil(memoryBytes / pageBytes))!
  pool.addMemory(memory)
  return { pool, floats: new Float32Array(memory.buffer, first, 1000) }
}

const operand = (offset: number): TaskOperand => ({
  memory: 0,
  offset,
  rowBytes: 4,
  partBytes: 0,
  reads: true,
  writes: true
})

/** x += x, one part a row. */
const doubling = (offset: number, rows: number, entry = "addInto"): RowsTask => ({
  kind: "rows",
  entry,
  home: 0,
  rows,
  partRows: 1,
  together: 1,
  scratch: false,
  operands: [operand(offset), operand(offset)],
  scalars: []
})

describe("Pool", () => {
  it("runs every part once, whichever thread takes it", async () => {
    const { pool, floats } = await startPool()
    for (let round = 0; round < 200; round++) {
      floats.fill(1)
      pool.run("doubling", doubling(first, floats.length))
      assert.isTrue(floats.every((value) => value === 2))
    }
    await pool.close()
  })

  it("raises what fails in a part, and runs the next task", async () => {
    const { pool, floats } = await startPool()
    for (let round = 0; round < 20; round++) {
      // Beyond the end of the memory: the WebAssembly of every thread traps.
      assert.throws(
        () => pool.run("broken", doubling(memoryBytes - 64 * 1024, 100_000)),
        KernelFailure,
        /out of bounds/
      )
      assert.throws(() => pool.run("broken", doubling(first, 10, "noSuchEntry")), KernelFailure, /noSuchEntry/)
      floats.fill(round)
      pool.run("doubling", doubling(first, floats.length))
      assert.isTrue(floats.every((value) => value === 2 * round))
    }
    await pool.close()
  })

  it("shows memories that are added later to all threads", async () => {
    const { pool } = await startPool()
    for (let index = 1; index < 4; index++) {
      const memory = makeMemory(Math.ceil(memoryBytes / pageBytes))!
      pool.addMemory(memory)
      const floats = new Float32Array(memory.buffer, first, 1000).fill(index)
      const task = doubling(first, floats.length)
      const operands = task.operands.map((each) => ({ ...each, memory: index }))
      pool.run("doubling", { ...task, home: index, operands })
      assert.isTrue(floats.every((value) => value === 2 * index))
    }
    await pool.close()
  })

  it("closes once, and then runs on the caller alone", async () => {
    const { pool, floats } = await startPool()
    await pool.close()
    await pool.close()
    floats.fill(3)
    pool.run("doubling", doubling(first, floats.length))
    assert.isTrue(floats.every((value) => value === 6))
  })

  it("reports a thread that cannot start", async () => {
    const { module, flags } = await loadKernels("auto")
    let message = ""
    await Pool.start(2, new Thread(0, module, undefined), {
      module,
      flags,
      libraries: { cblas: "/no/such/library.so", onednn: undefined }
    }).catch((error: Error) => {
      message = error.message
    })
    assert.match(message, /backend native is not available: a thread did not start: .*library/)
  })
})
