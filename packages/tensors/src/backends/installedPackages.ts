/** Which of the optional npm packages are installed, and what installs them; their types are not needed for that. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"

export type OptionalPackage = "gpu.js" | "koffi" | "webgpu"

const require = createRequire(import.meta.url)

/** The package with the versions that this one is made for and tested with. */
const versioned = (name: OptionalPackage): string => {
  const manifest = JSON.parse(readFileSync(new URL("../../package.json", import.meta.url), "utf8")) as {
    readonly peerDependencies: { readonly [P in OptionalPackage]: string }
  }
  return `${name}@${manifest.peerDependencies[name]}`
}

export const installCommand = (name: OptionalPackage): string => `npm install ${versioned(name)}`

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
