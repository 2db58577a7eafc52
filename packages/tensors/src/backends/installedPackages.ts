/** Which of the optional npm packages are installed, and what installs them; their types are not needed for that. */
import { isInstalled, peerVersions } from "#system/packages"

export type OptionalPackage = "gpu.js" | "koffi" | "webgpu"

/** The package with the versions that this one is made for and tested with, where they are known. */
const versioned = (name: OptionalPackage): string => {
  const versions = peerVersions()[name]
  return versions === undefined ? name : `${name}@${versions}`
}

export const installCommand = (name: OptionalPackage): string => `npm install ${versioned(name)}`

/** Whether functions of system libraries can be called. */
export const hasKoffi = (): boolean => isInstalled("koffi")

/** The command that installs what the backend gpujs:webgpu lacks of npm packages; undefined where it lacks none. */
export const webgpuInstallCommand = (has: (name: OptionalPackage) => boolean = isInstalled): string | undefined => {
  const missing = (["gpu.js", "webgpu"] as const).filter((name) => !has(name))
  return missing.length === 0 ? undefined : `npm install ${missing.map(versioned).join(" ")}`
}
