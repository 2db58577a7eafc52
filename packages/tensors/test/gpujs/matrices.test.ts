/** Which matrices of f16 an adapter's products take, and what is said where it has none that will do. */
import { GPU } from "gpu.js"
import { assert, describe, it } from "vitest"
import { makeQueuedBackend } from "../../src/backends/gpujs/queuedBackend.ts"
import {
  type MatrixAdapter,
  type MatrixMode,
  matricesOf,
  matrixFeatures
} from "../../src/backends/gpujs/webgpu/matrices.ts"
import { openDevice } from "../../src/backends/gpujs/webgpu/openDevice.ts"
import { makeWebgpuDevice } from "../../src/backends/gpujs/webgpu/webgpuDevice.ts"
import { type Backend, BackendUnavailable, matmul, openBackend, zeros } from "../../src/index.ts"
import { useNullGpu } from "./nullDevice.ts"

const halves = (M: number, N: number, K: number, resultComponentType = "f32") => ({
  componentType: "f16",
  resultComponentType,
  M,
  N,
  K
})

const adapter = (
  info: Partial<MatrixAdapter["info"]> = {},
  features: readonly string[] = matrixFeatures
): MatrixAdapter => ({
  features: new Set(features),
  info: {
    subgroupMinSize: 32,
    subgroupMaxSize: 32,
    subgroupMatrixConfigs: [halves(16, 8, 8), halves(16, 16, 16, "f16"), halves(16, 16, 16), halves(16, 8, 16)],
    ...info
  }
})

const refusalOf = (given: MatrixAdapter, mode: MatrixMode = "webgpu+f16"): string => {
  try {
    matricesOf(mode, "made up", given)
  } catch (error) {
    assert.instanceOf(error, BackendUnavailable)
    return error.message
  }
  assert.fail("it was not refused")
}

describe("matrices of an adapter", () => {
  it("are the largest that sum in f32, in one term or three", () => {
    assert.deepEqual(matricesOf("webgpu+f16", "made up", adapter()), { terms: 1, m: 16, n: 16, k: 16, subgroup: 32 })
    const small = adapter({ subgroupMatrixConfigs: [halves(8, 8, 8), halves(16, 8, 8)], subgroupMinSize: 32 })
    assert.deepEqual(matricesOf("webgpu+f16x3", "made up", small), { terms: 3, m: 16, n: 8, k: 8, subgroup: 32 })
  })

  it.each(matrixFeatures)("are refused without the feature %s, which is named", (feature) => {
    const rest = matrixFeatures.filter((each) => each !== feature)
    const message = refusalOf(adapter({}, rest), "webgpu+f16x3")
    assert.include(message, "gpujs:webgpu+f16x3")
    assert.include(message, `the adapter (made up) lacks the feature ${feature}: `)
    assert.match(message, /; gpujs:webgpu multiplies in f32 on every adapter$/)
  })

  it("are refused where none sums in f32, with those that there are", () => {
    const configurations = [halves(8, 8, 8, "f16"), { ...halves(8, 8, 8), componentType: "f32" }]
    const message = refusalOf(adapter({ subgroupMatrixConfigs: configurations }))
    assert.match(
      message,
      /multiplies no f16 -> f32 matrices of 16x16x16, .* but f16 -> f16 of 8x8x8, f32 -> f32 of 8x8x8;/
    )
    assert.match(refusalOf(adapter({ subgroupMatrixConfigs: [] })), /but none at all;/)
  })

  it.each([
    [32, 64],
    [16, 16]
  ])("are refused where subgroups have %d to %d threads", (subgroupMinSize, subgroupMaxSize) => {
    const message = refusalOf(adapter({ subgroupMinSize, subgroupMaxSize }))
    assert.include(message, `have ${subgroupMinSize} to ${subgroupMaxSize} threads`)
  })
})

/** An adapter of Dawn's null backend that says it has matrices. */
const shown = (found: GPUAdapter): GPUAdapter =>
  ({
    features: found.features,
    limits: found.limits,
    info: { ...adapter().info, vendor: "made", architecture: "up", description: "" },
    requestDevice: found.requestDevice.bind(found)
  }) as unknown as GPUAdapter

describe("a device with matrices", () => {
  useNullGpu(shown)

  it("has what their programs need, and says their shape in its name", async () => {
    const opened = await openDevice({ mode: "webgpu+f16x3", software: true })
    for (const feature of matrixFeatures) assert.isTrue(opened.device.features.has(feature), feature)
    const device = makeWebgpuDevice(GPU, opened, { debug: false, wgsl: true })
    assert.strictEqual(device.name, "gpujs:webgpu+f16x3 (made, up, f16 matrices of 16x16x16)")
    assert.deepEqual(device.wgsl?.matrices, { terms: 3, m: 16, n: 16, k: 16, subgroup: 32 })
    const backend = makeQueuedBackend(device)
    assert.throws(() => backend.withArithmetic("bf16"), BackendUnavailable, /gpujs:webgpu\+f16x3 .* multiply in bf16/)
    await matmul(zeros(backend, [40, 40]), zeros(backend, [40, 40])).read()
    await backend.close()
  })

  it("is one without them where they are not asked for", async () => {
    const opened = await openDevice({ mode: "webgpu", software: true })
    assert.isFalse(opened.device.features.has(matrixFeatures[0]!))
    assert.isUndefined(opened.matrices)
    opened.device.destroy()
  })
})

describe("a backend with products by matrices", () => {
  it.each(["gpujs:webgpu+f16", "gpujs:webgpu+f16x3"] as const)("%s says its name, or what is missing", async (name) => {
    const opened: Backend | BackendUnavailable = await openBackend(name).catch((error: BackendUnavailable) => error)
    if (opened instanceof Error) {
      assert.instanceOf(opened, BackendUnavailable)
      assert.include(opened.message, `backend ${name} is not available`)
      assert.match(opened.message, /npm install|libvulkan|no adapter|the feature|matrices|threads/)
      return
    }
    assert.isTrue(opened.name.startsWith(`${name} (`), opened.name)
    assert.match(opened.name, /, f16 matrices of \d+x\d+x\d+\)$/)
    await opened.close()
  })
})
