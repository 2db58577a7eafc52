/** What is measured of the backends that multiply by matrices of f16: on each that the adapter has, and why it has the others not. */
import { type Backend, BackendUnavailable, openBackend } from "@speedq/tensors"
import type { Part } from "./report.ts"

const modes = ["gpujs:webgpu+f16", "gpujs:webgpu+f16x3"] as const
export type MatrixBackend = (typeof modes)[number]

/** Does `work` on each backend in turn; one that is not there is a row with the reason. */
export const withMatrices = async (
  print: Parameters<Part>[0],
  work: (backend: Backend, mode: MatrixBackend) => Promise<void>
): Promise<void> => {
  for (const mode of modes) {
    const backend = await openBackend(mode).catch((error: unknown) => {
      if (error instanceof BackendUnavailable) return error
      throw error
    })
    if (backend instanceof BackendUnavailable) {
      print({ backend: mode, skipped: backend.message })
      continue
    }
    await work(backend, mode)
    await backend.close()
  }
}
