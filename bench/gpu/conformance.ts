/** Every sample of every kernel on the GPU against the reference: by its WGSL, and by its GPU.js programs. */
import { makeGpujsBackend } from "@speedq/tensors"
import { checkKernels } from "./checkKernels.ts"
import type { Part } from "./report.ts"

export const conformance: Part = async (print) => {
  for (const wgsl of [true, false]) {
    const backend = await makeGpujsBackend({ mode: "webgpu", wgsl })
    print({ wgsl, ...(await checkKernels(backend)) })
    await backend.close()
  }
}
