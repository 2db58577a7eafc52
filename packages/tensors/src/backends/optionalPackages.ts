/**
 * The npm packages that only some backends need: optional peers of this package, loaded when such a backend starts. Where one
 * is missing, BackendUnavailable says what installs it.
 */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import { BackendUnavailable } from "../core/Errors.ts"

type OptionalPackage = "gpu.js" | "koffi" | "webgpu"

const require = createRequire(import.meta.url)

/** The package with the versions that this one is made for and tested with. */
const versioned = (name: OptionalPackage): string => {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    readonly peerDependencies: { readonly [P in OptionalPackage]: string }
  }
  return `${name}@${manifest.peerDependencies[name]}`
}

export const installCommand = (name: OptionalPackage): string => `npm install ${versioned(name)}`

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
    return require("koffi")
  } catch (error) {
    throw unavailable(backend, "koffi", error)
  }
}

const isInstalled = (name: OptionalPackage): boolean => {
  try {
    require.resolve(name)
    return true
  } catch {
    return false
  }
}

/** Whether functions of system libraries can be called. */
export const hasKoffi = (): boolean => isInstalled("koffi")

/** The command that installs what the backend gpujs:webgpu lacks of npm packages; undefined where it lacks none. */
export const webgpuInstallCommand = (has: (name: OptionalPackage) => boolean = isInstalled): string | undefined => {
  const missing = (["gpu.js", "webgpu"] as const).filter((name) => !has(name))
  return missing.length === 0 ? undefined : `npm install ${missing.map(versioned).join(" ")}`
}
