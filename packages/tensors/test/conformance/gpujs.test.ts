/** The GPU.js backend in every mode that this machine has. */
import type { GpujsMode } from "../../src/backends/gpujs/Device.ts"
import { makeGpujsBackend } from "../../src/backends/gpujs/GpujsBackend.ts"
import { type BackendTolerance, tolerances } from "../tolerances.ts"
import { conformance } from "./conformance.ts"
import { type ModeOptions, startMode } from "./Mode.ts"

interface Run {
  readonly mode: GpujsMode
  /** Kernels that have WGSL of their own, by the GPU.js programs that define them. */
  readonly withoutWgsl?: true
  /** Products alone: all else is webgpu's. */
  readonly products?: BackendTolerance
}

const runs: readonly Run[] = [
  { mode: "cpu" },
  { mode: "webasm" },
  { mode: "headlessgl" },
  { mode: "webgpu" },
  { mode: "webgpu", withoutWgsl: true },
  { mode: "webgpu+f16", products: tolerances.matricesOfHalves },
  { mode: "webgpu+f16x3", products: tolerances.gpujs }
]

const ofProducts = ["linear", "matmul", "matmulInto"]

const onlyOf = ({ withoutWgsl, products }: Run): Pick<ModeOptions, "only"> => {
  if (products !== undefined) return { only: ({ name }) => ofProducts.includes(name) }
  return withoutWgsl ? { only: ({ webgpu }) => webgpu !== undefined } : {}
}

for (const run of runs) {
  const { mode, withoutWgsl = false, products } = run
  conformance(
    await startMode({
      name: `gpujs:${mode}${withoutWgsl ? " without WGSL of its own" : ""}`,
      start: () => makeGpujsBackend({ mode, wgsl: !withoutWgsl }),
      bodyOf: (kernel) => kernel.gpujs,
      ...onlyOf(run),
      tolerance: products ?? tolerances.gpujs,
      optional: mode !== "cpu" && mode !== "webasm",
      checksIndices: true,
      // GLSL ES 1.00 promises no NaN: Mesa takes NaN >= 1 for true.
      ieee: mode !== "headlessgl",
      // webasm and headlessgl refuse more than 2^24 elements, up to which their positions are exact: test/gpujs/queuedBackend.test.ts.
      // Positions of cpu are numbers of JavaScript, as those of the reference are.
      huge: mode === "webgpu"
    })
  )
}
