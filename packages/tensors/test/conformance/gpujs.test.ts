/** The GPU.js backend in every mode that this machine has. */
import type { GpujsMode } from "../../src/backends/gpujs/Device.ts"
import { makeGpujsBackend } from "../../src/backends/gpujs/GpujsBackend.ts"
import { tolerances } from "../tolerances.ts"
import { conformance } from "./conformance.ts"
import { startMode } from "./Mode.ts"

interface Run {
  readonly mode: GpujsMode
  /** Kernels that have WGSL of their own, by the GPU.js programs that define them. */
  readonly withoutWgsl?: true
}

const runs: readonly Run[] = [
  { mode: "cpu" },
  { mode: "webasm" },
  { mode: "headlessgl" },
  { mode: "webgpu" },
  { mode: "webgpu", withoutWgsl: true }
]

for (const { mode, withoutWgsl = false } of runs) {
  conformance(
    await startMode({
      name: `gpujs:${mode}${withoutWgsl ? " without WGSL of its own" : ""}`,
      start: () => makeGpujsBackend({ mode, wgsl: !withoutWgsl }),
      bodyOf: (kernel) => kernel.gpujs,
      ...(withoutWgsl ? { only: ({ webgpu }) => webgpu !== undefined } : {}),
      tolerance: tolerances.gpujs,
      optional: mode === "headlessgl" || mode === "webgpu",
      checksIndices: true,
      // GLSL ES 1.00 promises no NaN: Mesa takes NaN >= 1 for true.
      ieee: mode !== "headlessgl",
      // webasm and headlessgl refuse more than 2^24 elements, up to which their positions are exact: test/gpujs/queuedBackend.test.ts.
      // Positions of cpu are numbers of JavaScript, as those of the reference are.
      huge: mode === "webgpu"
    })
  )
}
