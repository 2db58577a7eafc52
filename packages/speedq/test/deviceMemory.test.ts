/** How a GPU's memory is told: in a plan, and by the doctor. */
import type { TensorMemory } from "@speedq/pipeline"
import { assert, describe, it } from "vitest"
import { untoned } from "../src/command/tones.ts"
import type { BackendReport } from "../src/doctor/BackendReport.ts"
import { describeMachine } from "../src/doctor/describeMachine.ts"
import { describePlan, type RecipePlan } from "../src/recipes/planRecipe.ts"
import { speedq } from "./support/inProcess.ts"

const gib = 2 ** 30

const planned = (memory: Partial<TensorMemory> = {}): RecipePlan => {
  const device = {
    device: "gpujs:webgpu (nvidia)",
    ...{ bytes: 16 * gib, source: "nvidia-smi", shared: false, largestBytes: 2 * gib, overhead: 0 },
    ...memory
  }
  const forecast = { obstacles: [], lines: [], checkpointBytes: 0, outputBytes: 0, scratchBytes: 0, seconds: 60 }
  const stage = { ...forecast, memoryBytes: gib, deviceBytes: 9 * gib }
  return {
    ...{ name: "mine", model: "m", seed: 1, directory: "runs/mine", layers: null, problems: [], fits: true },
    forecast: {
      stages: [{ place: "01-qat", forecast: stage, finished: false, stale: undefined, bytes: 0 }],
      ...{ problems: [], memoryBytes: gib, memoryLimitBytes: 8 * gib, diskBytes: 0, diskFreeBytes: gib, seconds: 60 },
      device: { ...device, neededBytes: 9 * gib }
    }
  }
}

describe("a plan for a GPU", () => {
  it("has the device's memory beside the host's, for each stage and in all", () => {
    const text = untoned(describePlan(planned()))
    assert.match(text, /^memory: 1 GiB of 8 GiB, of the host$/m)
    assert.match(text, /^device: 9 GiB of 16 GiB \(nvidia-smi\), of gpujs:webgpu \(nvidia\)$/m)
    assert.match(text, /^stage +memory +device +saved state/m)
    assert.match(text, /^01-qat +1 GiB +9 GiB +1 min/m)
  })

  it("says that nobody tells how much there is, or that it is the host's", () => {
    const unknown = untoned(describePlan(planned({ bytes: undefined, source: "nothing tells it" })))
    assert.match(unknown, /^device: 9 GiB; how much there is is not known \(nothing tells it\): --set memory\.device=/m)
    const shared = untoned(describePlan(planned({ bytes: undefined, source: "the host's memory", shared: true })))
    assert.match(
      shared,
      /^memory: 1 GiB of 8 GiB, which gpujs:webgpu \(nvidia\) shares: its tensors take 9 GiB of it$/m
    )
  })

  it("starts the backend that it is told, or says why that does not start", async () => {
    const none = await speedq(["plan", "nano-2bit", "--no-time", "--backend", "gpujs:webasm"])
    assert.strictEqual(none.code, 0, none.stderr)
    assert.match(none.stdout, /^memory: [\d.]+ [MG]iB of [\d.]+ GiB$/m)
    const wrong = await speedq(["plan", "nano-2bit", "--no-time", "--backend", "native:/nowhere.so"])
    assert.strictEqual(wrong.code, 1)
    assert.include(wrong.stderr, "/nowhere.so")
  })
})

describe("speedq doctor of a GPU", () => {
  const told = (bytes: number | null, source: string, shared = false): string => {
    const report: BackendReport = {
      ...{ name: "gpujs:webgpu", answers: true, what: "gpujs:webgpu (nvidia)" },
      speed: { gflops: 9, m: 1, k: 1, n: 1 },
      device: { memory: { bytes, source, shared }, largestBytes: 2 * gib }
    }
    return describeMachine({
      ...{ system: "linux", processor: "EPYC", cores: 2, auto: null, ffmpeg: null, advice: [] },
      memory: { totalBytes: gib, usableBytes: gib, availableBytes: gib },
      disk: { directory: "/", freeBytes: null },
      node: { version: "v20.20.2", supported: true, needed: ">=20.19" },
      backends: [report]
    })
  }

  it("tells how much memory it has, who says so, and the largest tensor", () => {
    const most = ", and binds at most 2 GiB at once"
    assert.include(told(80 * gib, "nvidia-smi"), `gpujs:webgpu has 80 GiB of memory for tensors (nvidia-smi)${most}`)
    assert.include(
      told(null, "nvidia-smi is not there, or does not answer"),
      `gpujs:webgpu has memory that is not known (nvidia-smi is not there, or does not answer); a recipe's memory.device says it${most}`
    )
    assert.include(told(null, "the host's memory", true), `gpujs:webgpu uses the host's memory${most}`)
  })
})
