/** Every sample of every kernel on the GPU against the reference: by its WGSL, and by its GPU.js programs; products by matrices of f16, too. */
import { makeGpujsBackend } from "@speedq/tensors"
import { type Check, checkKernels } from "./checkKernels.ts"
import type { Part } from "./report.ts"
import { type MatrixBackend, withMatrices } from "./withMatrices.ts"

/** All else is the same there as without matrices. */
const only = ["linear", "matmul", "matmulInto"]
const ofProducts: { readonly [K in MatrixBackend]: Check } = {
  // As packages/tensors/test/tolerances.ts has it.
  "gpujs:webgpu+f16": { only, atLeast: { relative: 1e-3, absolute: 1.5e-2 } },
  "gpujs:webgpu+f16x3": { only }
}

export const conformance: Part = async (print) => {
  for (const wgsl of [true, false]) {
    const backend = await makeGpujsBackend({ mode: "webgpu", wgsl })
    print({ wgsl, ...(await checkKernels(backend)) })
    await backend.close()
  }
  await withMatrices(print, async (backend, mode) => {
    print({ backend: mode, ...(await checkKernels(backend, ofProducts[mode])) })
  })
}
