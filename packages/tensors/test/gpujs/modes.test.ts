/** Which mode runs, and what is said when it cannot. */
import { GPU, type IKernelRunShortcut } from "gpu.js"
import { assert, describe, it } from "vitest"
import { assertMode } from "../../src/backends/gpujs/createProgram.ts"
import { makeGpujsBackend } from "../../src/backends/gpujs/GpujsBackend.ts"
import { type BackendName, BackendUnavailable, openBackend, scale, tensor, UnsupportedKernel } from "../../src/index.ts"

/** What the kernel map below calls by the name of its other half. */
const square = (x: number): number => x * x

describe("modes", () => {
  it.each(["webasm", "cpu"] as const)("%s runs everywhere and says its name", async (mode) => {
    const backend = await makeGpujsBackend({ mode })
    assert.deepEqual([backend.kind, backend.name], ["gpujs", `gpujs:${mode}`])
    assert.deepEqual([...(await scale(tensor(backend, [1, 2], [2]), 2).read())], [2, 4])
    await backend.close()
  })

  it.each([
    ["webgpu", /npm install webgpu|libvulkan/],
    ["headlessgl", /npm install gl@/]
  ] as const)("%s computes, or says what to install", async (mode, remedy) => {
    const backend = await makeGpujsBackend({ mode }).catch((error: unknown) => error)
    if (backend instanceof Error) {
      assert.instanceOf(backend, BackendUnavailable)
      assert.match(backend.message, remedy)
      return
    }
    const started = backend as Awaited<ReturnType<typeof makeGpujsBackend>>
    assert.match(started.name, new RegExp(`^gpujs:${mode}`))
    assert.deepEqual([...(await scale(tensor(started, [1, 2], [2]), 2).read())], [2, 4])
    await started.close()
  })

  it("takes no software adapter where none is wanted", async () => {
    const backend = await makeGpujsBackend({ mode: "webgpu", software: false }).catch((error: unknown) => error)
    if (backend instanceof Error) assert.instanceOf(backend, BackendUnavailable)
    else {
      const started = backend as Awaited<ReturnType<typeof makeGpujsBackend>>
      assert.notMatch(started.name, /swiftshader|llvmpipe/i)
      await started.close()
    }
  })

  it("refuses a mode that there is not", async () => {
    const error = await openBackend("gpujs:opengl" as BackendName).catch((error: unknown) => error)
    assert.instanceOf(error, BackendUnavailable)
    assert.match(String(error), /known modes: webgpu, webgpu\+f16, webgpu\+f16x3, headlessgl, webasm, cpu/)
  })

  it("notices when GPU.js quietly takes the processor instead", () => {
    const gpu = new GPU({ mode: "webasm" })
    // Kernel maps are what webasm cannot take: GPU.js warns on the console and runs on cpu.
    const shortcut = gpu.createKernelMap(
      {
        squares: function square(x: number) {
          return x * x
        }
      },
      function (this: { readonly thread: { readonly x: number } }, x: number[]) {
        return square(x[this.thread.x]!)
      },
      { output: [2] }
    ) as unknown as IKernelRunShortcut
    shortcut([1, 2])
    assert.throws(
      () => assertMode(shortcut, "webasm", "twice"),
      UnsupportedKernel,
      /twice: .* it would have run in mode cpu: kernel maps are not supported/
    )
  })
})
