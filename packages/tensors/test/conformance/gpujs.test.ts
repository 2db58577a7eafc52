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
      checksIndices: true,
      // GPU.js gives its WebAssembly programs 64 MiB.
      huge: mode !== "webasm"
    })
  )
}
