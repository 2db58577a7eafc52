/** Backends by the names that the command line uses. */
import { type Backend, makeReferenceBackend } from "@speedq/tensors"

/** "reference", "native", "native:none" (no BLAS), "gpujs:webasm", "gpujs:cpu", "gpujs:webgpu", "gpujs:headlessgl". */
export const openBackend = async (name: string): Promise<Backend> => {
  const [kind] = name.split(":")
  if (kind === "reference") return makeReferenceBackend()
  throw new Error(`there is no backend "${name}"`)
}
