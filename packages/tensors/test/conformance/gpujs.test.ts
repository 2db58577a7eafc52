/** The GPU.js backend in every mode that this machine has. */
import { makeGpujsBackend } from "../../src/backends/gpujs/GpujsBackend.ts"
import { tolerances } from "../tolerances.ts"
import { conformance } from "./conformance.ts"
import { startMode } from "./Mode.ts"

for (const mode of ["cpu", "webasm", "headlessgl", "webgpu"] as const) {
  conformance(
    await startMode({
      name: `gpujs:${mode}`,
      start: () => makeGpujsBackend({ mode }),
      bodyOf: (kernel) => kernel.gpujs,
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
