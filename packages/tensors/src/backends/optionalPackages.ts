/**
 * The npm packages that only some backends need: optional peers of this package, loaded when such a backend starts. Where one
 * is missing, BackendUnavailable says what installs it.
 */
import { requirePackage } from "#system/packages"
import { BackendUnavailable } from "../core/Errors.ts"
import { installCommand, type OptionalPackage } from "./installedPackages.ts"

/** Whether loading failed because the package itself is not there, and not for something in it. */
const isMissing = (name: OptionalPackage, error: unknown): boolean => {
  if (!(error instanceof Error) || !("code" in error)) return false
  const { code, message } = error
  const notFound = code === "ERR_MODULE_NOT_FOUND" || code === "MODULE_NOT_FOUND"
  return notFound && (message.includes(`'${name}'`) || message.includes(`"${name}"`))
}

const unavailable = (backend: string, name: OptionalPackage, error: unknown): BackendUnavailable => {
  const what = isMissing(name, error) ? "is not installed" : `did not load (${String(error)})`
  return new BackendUnavailable(backend, `the npm package ${name} ${what}; install it with ${installCommand(name)}`)
}

/** GPU.js, for a backend. Raises BackendUnavailable. */
export const importGpujs = async (backend: string): Promise<typeof import("gpu.js")> => {
  try {
    return await import("gpu.js")
  } catch (error) {
    throw unavailable(backend, "gpu.js", error)
  }
}

/** Dawn, which is WebGPU for Node, for a backend. Raises BackendUnavailable. */
export const importWebgpu = async (backend: string): Promise<typeof import("webgpu")> => {
  try {
    return await import("webgpu")
  } catch (error) {
    throw unavailable(backend, "webgpu", error)
  }
}

/** The bridge to functions of system libraries, for a backend. Raises BackendUnavailable. */
export const requireKoffi = (backend: string): typeof import("koffi") => {
  try {
    return requirePackage("koffi") as typeof import("koffi")
  } catch (error) {
    throw unavailable(backend, "koffi", error)
  }
}
