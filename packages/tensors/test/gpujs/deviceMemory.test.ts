/** What is known of an adapter's memory, from what drivers tell. */
import { assert, describe, it } from "vitest"
import { adapterFacts, adapterName } from "../../src/backends/gpujs/webgpu/adapterFacts.ts"
import { findDeviceMemory, type MemorySources } from "../../src/backends/gpujs/webgpu/deviceMemory.ts"

const gib = 2 ** 30
const infoOf = (vendor: string, device = "", isFallbackAdapter = false) => ({
  ...{ vendor, device, isFallbackAdapter },
  architecture: "",
  description: ""
})
const factsOf = (...info: Parameters<typeof infoOf>) => adapterFacts(infoOf(...info), { byDawn: true })

const find = (
  info: Parameters<typeof infoOf>,
  { given, ...sources }: Partial<MemorySources> & { readonly given?: number } = {}
) =>
  findDeviceMemory(factsOf(...info), {
    given,
    sources: { platform: "linux", nvidiaSmi: async () => undefined, amdgpu: () => [], ...sources }
  })

const smi = (text: string) => ({ nvidiaSmi: async () => text })

describe("the memory of an adapter", () => {
  it("is what nvidia-smi says is free of the GPU with its name", async () => {
    const two = "NVIDIA H200, 143771, 143000\nNVIDIA GeForce RTX 3090, 24576, 20480\n"
    assert.deepEqual(await find(["nvidia", "nvidia-geforce-rtx-3090"], smi(two)), {
      bytes: 20 * gib,
      source: "nvidia-smi",
      shared: false
    })
    const twins = "NVIDIA A100, PCIe, 40960, 30720\nNVIDIA A100, PCIe, 40960, 10240\n"
    assert.strictEqual((await find(["nvidia", "nvidia-a100-pcie"], smi(twins))).bytes, 10 * gib)
    assert.strictEqual((await find(["nvidia", "renamed"], smi("NVIDIA T4, 16384, 15360\n"))).bytes, 15 * gib)
  })

  it("is unknown where it might be that of another, and where nothing is told", async () => {
    const told = await Promise.all([
      find(["nvidia", "renamed"], smi("NVIDIA T4, 16384, 15360\nNVIDIA H200, 143771, 143000\n")),
      find(["nvidia", "nvidia-gb10"], smi("NVIDIA GB10, [N/A], [N/A]\n")),
      find(["nvidia", "nvidia-t4"]),
      find(["amd"]),
      find(["amd"], { amdgpu: () => [{ total: gib / 2, used: 0 }] }),
      find(["intel"]),
      find([""])
    ])
    for (const { bytes, shared } of told) assert.deepEqual([bytes, shared], [undefined, false])
    assert.deepEqual(
      told.map(({ source }) => source),
      [
        "nvidia-smi tells of 2 different GPUs, and not which one this is",
        "nvidia-smi tells no memory",
        "nvidia-smi is not there, or does not answer",
        "amdgpu's mem_info_vram_total is not there",
        "amdgpu tells of 512 MiB of VRAM, as of a processor's own GPU, which uses the host's memory too",
        "nothing on this system tells it of intel",
        "nothing on this system tells it of this adapter"
      ]
    )
  })

  it("is what amdgpu says is free", async () => {
    const amdgpu = () => [{ total: 16 * gib, used: gib }]
    assert.strictEqual((await find(["amd", "radeon"], { amdgpu })).bytes, 15 * gib)
    assert.isUndefined((await find(["amd", "radeon"], { amdgpu, platform: "win32" })).bytes)
  })

  it("is the host's where the adapter has none of its own: Apple's, and a program", async () => {
    for (const memory of [
      await find(["apple", "apple-m2"], { platform: "darwin" }),
      await find(["google", "swiftshader", true])
    ])
      assert.deepEqual(memory, { bytes: undefined, source: "the host's memory", shared: true })
  })

  it("is what a setting says, whatever drivers tell", async () => {
    const memory = await find(["nvidia", "nvidia-t4"], { ...smi("NVIDIA T4, 16384, 15360\n"), given: 8 * gib })
    assert.deepEqual(memory, { bytes: 8 * gib, source: "memory.device", shared: false })
  })
})

describe("the name of an adapter", () => {
  it("is its class: vendor, architecture, device, what WebGPU runs over, driver", () => {
    const info = { ...infoOf("nvidia", "nvidia-h200"), architecture: "hopper", description: "NVIDIA 550.54" }
    const name = (platform: string, byDawn = true) => adapterName(adapterFacts(info, { byDawn, platform }))
    assert.strictEqual(name("linux"), "nvidia, hopper, nvidia-h200, Vulkan, NVIDIA 550.54")
    assert.strictEqual(name("win32"), "nvidia, hopper, nvidia-h200, D3D12, NVIDIA 550.54")
    assert.strictEqual(name("linux", false), "nvidia, hopper, nvidia-h200, NVIDIA 550.54")
  })
})
