import { afterEach, assert, describe, it } from "vitest"
import { BackendUnavailable, makeNativeBackend, matmul, type NativeOptions, tensor } from "../../src/index.ts"

const before = process.env.SPEEDQ_BLAS
afterEach(() => {
  if (before === undefined) delete process.env.SPEEDQ_BLAS
  else process.env.SPEEDQ_BLAS = before
})

const product = async (options: NativeOptions) => {
  const backend = await makeNativeBackend({ threads: 2, ...options })
  const a = tensor(backend, [1, 2, 3, 4], [2, 2])
  const y = matmul(a, a)
  const values = Array.from(await y.read())
  for (const x of [a, y]) x.release()
  await backend.close()
  return { values, ...backend }
}

const failure = async (options: NativeOptions): Promise<Error> => {
  let caught = new Error("it started")
  await makeNativeBackend({ threads: 1, ...options }).catch((error: Error) => {
    caught = error
  })
  return caught
}

describe("choice of the BLAS", () => {
  it("none: the WebAssembly product, and says so", async () => {
    const { values, name, description } = await product({ blas: "none" })
    assert.deepStrictEqual(values, [7, 10, 15, 22])
    assert.match(name, /^native \(WebAssembly (relaxed|plain) SIMD, 2 threads\)$/)
    assert.isUndefined(description.blas)
    assert.strictEqual(description.blasReason, "not wanted")
    assert.isUndefined(description.onednn)
  })

  it("auto: the first library of the platform, or why there is none", async () => {
    delete process.env.SPEEDQ_BLAS
    const { values, name, description } = await product({})
    assert.deepStrictEqual(values, [7, 10, 15, 22])
    if (description.blas === undefined) assert.match(description.blasReason, /could be loaded/)
    else {
      const { blas, onednn } = description
      const both = onednn === undefined ? blas.name : `${blas.name} and ${onednn.name}`
      assert.strictEqual(name, `native (${both}, 2 threads)`)
      assert.notStrictEqual(description.blas.configuration, "")
    }
  })

  it("SPEEDQ_BLAS decides where no option does", async () => {
    process.env.SPEEDQ_BLAS = "none"
    assert.isUndefined((await product({})).description.blas)
    process.env.SPEEDQ_BLAS = "/no/such/libblas.so"
    const error = await failure({})
    assert.instanceOf(error, BackendUnavailable)
    assert.match(error.message, /the BLAS \/no\/such\/libblas\.so cannot be used .*SPEEDQ_BLAS/)
    assert.isUndefined((await product({ blas: "none" })).description.blas)
  })

  it("oneDNN: where the processor has tiles for it, or why not; SPEEDQ_ONEDNN decides", async () => {
    delete process.env.SPEEDQ_BLAS
    delete process.env.SPEEDQ_ONEDNN
    const { onednn, onednnReason, tiles } = (await product({})).description
    if (onednn !== undefined) assert.isTrue(tiles)
    else assert.match(onednnReason, tiles ? /could be loaded/ : /nothing that this machine would gain by/)
    process.env.SPEEDQ_ONEDNN = "none"
    assert.isUndefined((await product({})).description.onednn)
    process.env.SPEEDQ_ONEDNN = "/no/such/libdnnl.so"
    const error = await failure({})
    delete process.env.SPEEDQ_ONEDNN
    assert.instanceOf(error, BackendUnavailable)
    assert.match(error.message, /the oneDNN \/no\/such\/libdnnl\.so cannot be used .*SPEEDQ_ONEDNN/)
  })

  it("refuses a library that is no BLAS", async () => {
    const { blas } = (await product({})).description
    // Any library of the machine without cblas_sgemm: the C library is always there.
    const libc = { linux: "libc.so.6", darwin: "/usr/lib/libSystem.B.dylib", win32: "kernel32.dll" }[
      process.platform as "linux"
    ]
    const error = await failure({ blas: libc })
    assert.instanceOf(error, BackendUnavailable)
    assert.match(error.message, /cblas_sgemm/)
    assert.notStrictEqual(blas?.path, libc)
  })

  it("leaves the environment as it was", async () => {
    process.env.OMP_NUM_THREADS = "7"
    delete process.env.OPENBLAS_NUM_THREADS
    await product({})
    assert.strictEqual(process.env.OMP_NUM_THREADS, "7")
    assert.isUndefined(process.env.OPENBLAS_NUM_THREADS)
    delete process.env.OMP_NUM_THREADS
  })
})
